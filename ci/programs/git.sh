# History with differences, and a repack.
if [ "$1" = check ]; then echo git; command -v git >/dev/null; exit; fi
cd repo && git -c core.pager=cat log -p --stat --no-color | cksum &&
  exec git -c pack.threads=1 pack-objects --all --stdout --window=20 -q </dev/null | cksum
