# Commands of one client of several, by `-v client=N`: sorted sets, hashes and texts that are read whole.
BEGIN {
    srand(client)
    for (n = 0; n < 2500; n++) {
        printf "ZADD board:%d %d player:%d\r\n", n % 20, rand() * 9999, rand() * 800
        printf "HSET user:%d name %s visits %d\r\n", rand() * 500, substr("a_name_of_some_length_or_other", 1, 5 + rand() * 25), n
        if (n % 10 == 0) printf "APPEND text:%d some_words_that_make_it_longer_each_time\r\n", rand() * 50
        if (n % 25 == 0) printf "ZRANGE board:%d 0 -1 WITHSCORES\r\nHGETALL user:%d\r\n", n % 20, rand() * 500
        if (n % 250 == 0) printf "DEL board:%d\r\n", rand() * 20
    }
}
