# A Debian package built from its source, which lies in $HELLO_SOURCE: `apt-get source hello`.
if [ "$1" = check ]; then
  echo "the source of hello (HELLO_SOURCE), debhelper or texinfo"
  [ -n "${HELLO_SOURCE:-}" ] || exit 1
  for tool in dpkg-buildpackage dh makeinfo; do command -v $tool >/dev/null || exit 1; done
  exit
fi
rm -rf build && mkdir build && cp -a "$HELLO_SOURCE" build/hello && cd build/hello || exit 1
DEB_BUILD_OPTIONS="nocheck parallel=1" dpkg-buildpackage -b -us -uc -d >../log 2>&1 || exit 1
exec sha256sum ../hello_*.deb
