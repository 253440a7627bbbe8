# JSON records, one array: `-v records=N`.
BEGIN {
    srand(3)
    print "["
    for (n = 0; n < records; n++)
        printf "{\"id\":%d,\"group\":\"g%d\",\"name\":\"name %d\",\"score\":%.3f,\"tags\":[\"t%d\",\"t%d\"]}%s\n", n, rand() * 200, rand() * 5000, rand() * 100, rand() * 40, rand() * 40, n + 1 < records ? "," : ""
    print "]"
}
