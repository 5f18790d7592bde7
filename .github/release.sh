#!/bin/sh
# release.sh PROGRAM FOLDER - pack a built dbstow with all that it needs but glibc
#
# Makes FOLDER/dbstow-VERSION-linux-MACHINE.tar.gz and its .sha256. Libraries lie
# beside the program, which finds them there whatever LD_LIBRARY_PATH says; their
# licences lie with them. The same program gives the same bytes.
set -eu

program=$1
out=$2
version=$("$program" version | sed 's/^dbstow //')
name=dbstow-$version-linux-$(uname -m)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/$name
mkdir -p "$root/bin" "$root/lib" "$root/licences" "$out"

# glibc is the machine's own: its parts have to be of one version, with what it
# loads to find users and hosts.
is_glibc() {
	case "$1" in
	linux-vdso.* | ld-linux* | libc.so.* | libm.so.* | libdl.so.* | \
		libpthread.so.* | librt.so.* | libresolv.so.* | libanl.so.* | \
		libutil.so.*) return 0 ;;
	esac
	return 1
}

# "NAME PATH" of each library that the program needs
libraries() {
	ldd "$program" | while read -r soname arrow path _; do
		soname=${soname##*/}
		is_glibc "$soname" && continue
		if [ "$arrow" != "=>" ] || [ ! -e "$path" ]; then
			echo "release.sh: '$soname' is not found" >&2
			exit 1
		fi
		echo "$soname $path"
	done
}

# the Debian package of a file; its path may be that of before /usr was merged
package_of() {
	path=$(realpath "$1")
	for try in "$path" "${path#/usr}" "/usr$path"; do
		found=$(dpkg-query -S "$try" 2>/dev/null) || continue
		echo "${found%%:*}"
		return
	done
	echo "release.sh: '$1' is of no package" >&2
	return 1
}

install -m 755 "$program" "$root/bin/dbstow"
strip --strip-debug "$root/bin/dbstow"
libraries >"$scratch/libraries"
[ -s "$scratch/libraries" ]
while read -r soname path; do
	install -m 644 "$path" "$root/lib/$soname"
	# one of its own would be looked at instead of the program's
	if [ -n "$(patchelf --print-rpath "$root/lib/$soname")" ]; then
		patchelf --remove-rpath "$root/lib/$soname"
	fi
	package=$(package_of "$path")
	cp "/usr/share/doc/$package/copyright" "$root/licences/$package"
	dpkg-query -W -f='${Package} ${Version} (source: ${source:Package} ${source:Version})\n' \
		"$package" >>"$scratch/packages"
done <"$scratch/libraries"
# DT_RPATH, not DT_RUNPATH: it holds for what the libraries need, too
# shellcheck disable=SC2016
patchelf --force-rpath --set-rpath '$ORIGIN/../lib' "$root/bin/dbstow"

grep -ho '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$root"/licences/* |
	sort -u | while read -r licence; do
	[ ! -f "$licence" ] || cp "$licence" "$root/licences/${licence##*/}.txt"
done
cp "$(dirname "$0")/../LICENSE" "$root/licences/dbstow"
glibc=$(objdump -T "$root/bin/dbstow" "$root"/lib/* |
	sed -n 's/.*(\{0,1\}GLIBC_\([0-9][0-9.]*\)).*/\1/p' | sort -uV | tail -n 1)
cat >"$root/README" <<EOF
dbstow $version for Linux on $(uname -m), glibc $glibc or newer

bin/dbstow runs from wherever this folder lies, or from a link to it. It needs
beside it:
- for https, the system's certificate authorities (Debian: ca-certificates), or
  a file of them with --cacert
- for remotes that are folders, and for git's credential helpers: git; for ssh: ssh

Libraries in lib/, as Debian built them; their sources are in
Debian's snapshot archive, their licences in licences/:

$(sort -u "$scratch/packages")
EOF

# Nothing may come from elsewhere, here or on a machine that has less.
elsewhere=$(LD_LIBRARY_PATH='' ldd "$root/bin/dbstow" | while read -r soname _ path _; do
	is_glibc "${soname##*/}" && continue
	[ "$(realpath "${path:-/}")" = "$(realpath "$root")/lib/$soname" ] || echo "$soname"
done)
if [ -n "$elsewhere" ]; then
	echo "release.sh: found elsewhere: $elsewhere" >&2
	exit 1
fi

tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner \
	--mode=u+w,go-w --mtime="@${SOURCE_DATE_EPOCH:-0}" -cf "$scratch/tar" "$name"
gzip -9n <"$scratch/tar" >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
