" A text is written, changed all over, undone, folded and searched.
set nocompatible undolevels=1000
let lines = []
for n in range(1000)
  call add(lines, 'line ' . n . ' has the word w' . (n * 7919 % 613) . ' and a number ' . (n * 31 % 997))
endfor
call setline(1, lines)
unlet lines
for round in range(6)
  execute '%s/w\(' . round . '\d*\) and/word\1, with/g'
  execute 'g/number ' . round . '/normal Aextended' . round
  silent! undo
  silent! redo
endfor
sort /has the/
g/7$/move 0
let found = {}
for line in getline(1, '$')
  for word in split(line, '\W\+')
    let found[word] = get(found, word, 0) + 1
  endfor
endfor
1,200delete
undo
quitall!
