# Words of lines counted by length and place, in arrays of arrays, and reported in order.
BEGIN {
    seed = 9
    for (n = 0; n < 5000; n++) {
        line = ""
        for (w = 0; w < 8; w++) {
            seed = (seed * 16807) % 2147483647
            line = line "w" seed % 4000 substr("abcdefghij", 1, seed % 7) " "
        }
        $0 = line
        for (f = 1; f <= NF; f++) count[length($f)][f][$f]++
        if (n % 1000 == 999) delete count[n / 1000 % 9]
    }
    PROCINFO["sorted_in"] = "@val_num_desc"
    for (l in count) for (f in count[l]) {
        m = split("", top)
        for (word in count[l][f]) { top[++m] = toupper(word); if (m == 5) break }
        print l, f, length(count[l][f]), top[1]
    }
}
