# A history for git fast-import: commits that each change some of many files a little.
function text(file, version,  line, all) {
    all = ""
    for (line = 0; line < 30; line++)
        all = all "line " line " of file " file (line == version % 30 ? " changed " rand() : " as ever " file * line) "\n"
    return all
}
BEGIN {
    srand(5)
    for (n = 1; n <= 180; n++) {
        print "commit refs/heads/main\ncommitter n <e> " 1700000000 + n " +0000\ndata 7\nchange\n"
        for (m = 0; m < 16; m++) {
            file = int(rand() * 600)
            data = text(file, n)
            printf "M 644 inline d%d/f%d\ndata %d\n%s\n", file % 20, file, length(data), data
        }
    }
}
