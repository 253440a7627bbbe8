# Words counted, sorted, and put together again.
if [ "$1" = check ]; then echo perl; command -v perl >/dev/null; exit; fi
PERL_HASH_SEED=0 exec perl -e '
open F, "words.txt"; my (%n, @l);
while (<F>) { chomp; push @l, $_; $n{$_}++ for split; }
for (sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n) { $k .= "$_=$n{$_};"; last if length $k > 200 }
my @s = sort map { join " ", reverse split } @l;
my %by; push @{$by{substr $_, 0, 4}}, $_ for @s;
s/w(\d+)/<$1>/g for @s;
print "$k\n", scalar(@s), " ", scalar(keys %by), " $s[0]\n"'
