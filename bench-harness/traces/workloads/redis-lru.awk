# Commands for a cache: many keys of 240 bytes, then fewer of 492, more than fit; lists that grow
# and are dropped whole; reads among them; at the end everything is dropped by another thread.
# (After the Redis workload of the Mesh paper, PLDI 2019, section 6.2.2.)
function value(bytes, nth) {
    return sprintf("%s%0" (bytes - 10) "d", "value" nth % 100000, nth)
}
function put(line) { printf "%s\r\n", line }
BEGIN {
    srand(1)
    for (n = 0; n < 6000; n++) {
        put("SET key:" n " " value(240, n))
        if (n % 5 == 0) put("GET key:" int(rand() * n))
        if (n % 200 == 0) {
            for (m = 0; m < 60; m++) put("RPUSH list:" n " " value(20 + m, n + m))
            if (n >= 1000) put("UNLINK list:" n - 1000)
        }
    }
    for (n = 0; n < 1500; n++) {
        put("SET other:" n " " value(492, n))
        if (n % 5 == 0) put("APPEND other:" int(rand() * n) " " value(60, n))
    }
    put("FLUSHALL ASYNC")
}
