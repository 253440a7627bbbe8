# Counts words of a generated text and regroups the counts by length and first letter.
use strict;
use warnings;

my ($seed, %count, %group) = (4);
sub draw { $seed = ($seed * 1103515245 + 12345) % 2147483648; return int($seed / 65536) % $_[0] }
for (1 .. 9000) {
    my $line = join ' ', map { 'w' . draw(30000) . ('a' .. 'z')[draw(26)] } 1 .. 10;
    $count{$_}++ for split ' ', $line;
}
push @{ $group{ length $_ }{ substr $_, -1 } }, [$_, $count{$_}] for sort keys %count;
for my $length (sort keys %group) {
    for my $letter (sort keys %{ $group{$length} }) {
        my @words = sort { $b->[1] <=> $a->[1] || $a->[0] cmp $b->[0] } @{ $group{$length}{$letter} };
        print "$length $letter $words[0][0] ", scalar @words, "\n";
    }
}
