# A long file compiled.
if [ "$1" = check ]; then echo gcc; command -v gcc >/dev/null; exit; fi
exec gcc -O1 -S -o - big.c
