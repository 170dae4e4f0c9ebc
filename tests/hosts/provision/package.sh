#!/usr/bin/env bash
# package.sh DIRECTORY MQAWS VERSION: writes DIRECTORY/mq.tar, an archive of the shape of IBM's for Debian, and in it the
# stand-in. Like IBM's packages, these ask for an accepted licence, make the user mqm where there is none, depend on one
# another and fill /opt/mqm and /var/mqm. A test double: nothing in it is IBM's.
set -euo pipefail
directory=$1 mqaws=$2 version=$3
server=$directory/MQServer
licence=/tmp/mq_license_$version/license/status.dat
mkdir -p "$server/licenses"

# package NAME DEPENDS: of what is in DIRECTORY/NAME.
package() {
  local name=$1 depends=$2
  mkdir -p "$directory/$name/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: mqaws tests\nDescription: stand-in for IBM MQ, a test double\n' \
    "$name" "$version" >"$directory/$name/DEBIAN/control"
  [[ -z $depends ]] || echo "Depends: $depends" >>"$directory/$name/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone -b "$directory/$name" "$server/${name}_${version}_amd64.deb" >/dev/null
  rm -rf "${directory:?}/$name"
}

bin=$directory/ibmmq-runtime/opt/mqm/bin
mkdir -p "$bin" "$directory/ibmmq-runtime/var/mqm" "$directory/ibmmq-runtime/DEBIAN"
strip -o "$bin/mqaws" "$mqaws"
# Where packages are installed nobody says that this is a lab.
printf '#!/bin/bash\nMQAWS_LAB_ROOT=/ exec -a dspmqver /opt/mqm/bin/mqaws "$@"\n' >"$bin/dspmqver"
cat >"$directory/ibmmq-runtime/DEBIAN/preinst" <<SH
#!/bin/sh
[ -e $licence ] || { echo "the licence is not accepted: run mqlicense.sh" >&2; exit 1; }
getent passwd mqm >/dev/null || useradd -M -d /var/mqm -U mqm
SH
printf '#!/bin/sh\nchown mqm:mqm /var/mqm\n' >"$directory/ibmmq-runtime/DEBIAN/postinst"
chmod 755 "$bin/dspmqver" "$directory"/ibmmq-runtime/DEBIAN/p*inst
package ibmmq-runtime ""
mkdir -p "$directory/ibmmq-server/opt/mqm/bin"
for command in crtmqm strmqm endmqm dspmq dltmqm runmqsc dspmqinf addmqinf crtmqdir setmqprd; do
  ln -s mqaws "$directory/ibmmq-server/opt/mqm/bin/$command"
done
package ibmmq-gskit "ibmmq-runtime (= $version)"
package ibmmq-server "ibmmq-runtime (= $version), ibmmq-gskit (= $version)"
package ibmmq-jre "ibmmq-runtime (= $version)"
package ibmmq-java "ibmmq-jre (= $version)"
package ibmmq-amqp "ibmmq-server (= $version), ibmmq-java (= $version)"
package ibmmq-client "ibmmq-runtime (= $version)"

cat >"$server/mqlicense.sh" <<SH
#!/bin/sh
[ "\$1" = -accept ] || { echo "usage: mqlicense.sh -accept" >&2; exit 1; }
mkdir -p ${licence%/*}
echo 9 >$licence
echo "Agreement accepted: Proceed with install."
SH
echo "a licence file of the stand-in" >"$server/licenses/amqpcert.lic"
tar -cf "$directory/mq.tar" -C "$directory" MQServer
rm -rf "$server"
