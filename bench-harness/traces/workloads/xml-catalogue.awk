# A catalogue in XML: products with attributes, nested prices, text with entities, a name space.
BEGIN {
    srand(6)
    print "<?xml version=\"1.0\"?>\n<catalogue xmlns=\"urn:catalogue\" xmlns:p=\"urn:price\">"
    for (n = 0; n < 1500; n++) {
        printf "<product id=\"p%d\" group=\"g%d\"><name>name %d &amp; more</name>", n, rand() * 60, rand() * 900
        for (m = rand() * 4; m > 0; m--) printf "<p:price currency=\"c%d\">%.2f</p:price>", m, rand() * 500
        if (rand() < 0.3) printf "<note>%s</note>", substr("a note of some length, which is cut at a place by chance", 1, rand() * 56)
        print "</product>"
    }
    print "</catalogue>"
}
