# A server under load: the load's own memory is the system allocator's.
if [ "$1" = check ]; then
  echo redis-server and redis-benchmark
  command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null
  exit
fi
lib=${LD_PRELOAD:-}
unset LD_PRELOAD
# Debian's server is linked with jemalloc: where nothing is preloaded, that is what glibc stands before.
LD_PRELOAD=${lib:-libc.so.6} redis-server --port 0 --unixsocket redis.sock --save '' --appendonly no \
  --daemonize no --logfile redis.log &
server=$!
until redis-cli -s redis.sock ping >/dev/null 2>&1; do sleep 0.01; done
redis-benchmark -s redis.sock -q -n 60000 -r 30000 -d 100 -P 16 -c 20 -t set,get,lpush,lpop,sadd,zadd >/dev/null
redis-cli -s redis.sock eval 'for i=1,20000 do redis.call("hset", "h" .. i % 500, "f" .. i, string.rep("x", i % 300)) end; return redis.call("hlen", "h7") .. " " .. #redis.call("hget", "h7", "f7")' 0
redis-cli -s redis.sock shutdown nosave 2>/dev/null
wait "$server"
