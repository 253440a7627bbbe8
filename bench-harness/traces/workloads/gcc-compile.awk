# A C source: structures, loops, switches and calls of one another.
BEGIN {
    srand(2)
    print "int printf(const char *, ...);\nunsigned long strlen(const char *);"
    for (i = 0; i < 16; i++) {
        printf "struct s%d { int a[%d]; struct s%d *next; char *name; };\n", i, i + 1, i
        printf "int f%d(struct s%d *p, int n) {\n  int t = 0;\n", i, i
        printf "  for (int i = 0; i < n; i++) {\n    if (p->a[i %% %d] > %d) t += i * %d;\n", i + 1, rand() * 99, rand() * 9
        print  "    else switch (t & 7) { case 1: t ^= i; break; case 2: t -= (int)strlen(p->name); break; default: t++; }"
        printf "  }\n  while (p) { t += p->a[0]; p = p->next; }\n"
        if (i > 0) printf "  if (t < n) { struct s%d q = { { t } }; t += f%d(&q, n - 1); }\n", i - 1, i - 1
        print  "  printf(\"%d\\n\", t);\n  return t;\n}"
    }
}
