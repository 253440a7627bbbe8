# A manual for troff: chapters, paragraphs with fonts, lists in lists, tables of tagged items.
BEGIN {
    srand(8)
    print ".TH BOOK 7"
    for (c = 1; c <= 14; c++) {
        printf ".SH Chapter %d\n", c
        for (p = 0; p < 14; p++) {
            print ".PP"
            for (l = 0; l < 9; l++) {
                line = ""
                for (w = 0; w < 9; w++) line = line (rand() < 0.08 ? "\\fIitalic" int(rand() * 99) "\\fP " : "word" int(rand() * 999) " ")
                print line
            }
            if (p % 5 == 0) printf ".TP\n.BI option \" %d\"\nwhat it does, in some words\n", p
            if (p % 6 == 1) printf ".IP %d. 4\nan item with some words\n.RS\n.IP a. 4\nand one in it\n.RE\n", p
        }
    }
}
