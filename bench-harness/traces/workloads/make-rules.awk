# A makefile: modules with prefix lists, pattern rules, functions of text; nothing is to be built.
BEGIN {
    print "all:"
    print "flags = $(addprefix -I,$(sort $(dirs))) $(foreach d,$(defs),-D$(d)=$(words $(defs)))"
    for (n = 0; n < 190; n++) {
        printf "dirs += include/d%d\n", n % 40
        if (n % 9 == 0) printf "defs += option_%d\n", n
        printf "objects_%d := $(patsubst %%.c,%%.o,$(wildcard m%d/*.c) m%d/a.c m%d/b.c m%d/c.c)\n", n, n, n, n, n
        printf "all: module_%d\nmodule_%d: $(objects_%d)\n\t@: $(flags) $^\n", n, n, n
        printf "m%d/%%.o: m%d/%%.c header_%d.h\n\t@: $(flags) $< -o $@\n", n, n, n % 50
    }
    print "%.c: ;\n%.h: ;"
}
