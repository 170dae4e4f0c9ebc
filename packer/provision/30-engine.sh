#!/usr/bin/env bash
# 30-engine.sh: the engine. IBM MQ from the archive that the user names, once its checksum and the licence are in order;
# RabbitMQ from the distribution, or from an archive of packages that the user names. Nothing is unpacked before that, and nothing
# is started.
# shellcheck disable=SC2034 # for step.sh
step=engine
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

# Parts of IBM MQ in the order in which they depend on one another; what follows `--` is installed where it is there.
parts=(Runtime JRE Java GSKit Server -- AMQP AMS Client Samples)

# The file of a part in the folder $1, by the names of IBM's packages.
file_of() {
  local pattern
  case $packages in
    apt) pattern="$1/ibmmq-${2,,}_[0-9]*.deb" ;;
    dnf) pattern="$1/MQSeries$2-[0-9]*.rpm" ;;
  esac
  compgen -G "$pattern" | head -n 1
}

# The archive that the user names, in `$archive`, once its checksum is right; `$work` is a folder for what is in it.
archive() {
  archive=$MQAWS_PACKAGE
  # Not below /tmp, which may be in memory: the archive is large.
  work=$(mktemp -d /var/tmp/mqaws-engine.XXXXXX)
  discard+=("$work")
  if [[ $archive == s3://* ]]; then
    archive=$work/package
    say "get $MQAWS_PACKAGE"
    chmod 755 "$provision/mqaws-agent"
    AWS_REGION=${MQAWS_REGION:-} "$provision/mqaws-agent" fetch "$MQAWS_PACKAGE" "$archive" ||
      fail 3 "cannot download $MQAWS_PACKAGE" "the instance profile of the build must allow s3:GetObject on it"
  fi
  verify "$archive" "${MQAWS_PACKAGE_SHA256:-}" "the package of $1"
}

# The agent reads certificates with it; RHEL and Amazon Linux have it; not every Debian has.
with_openssl() {
  command -v openssl >/dev/null || install_packages openssl
}

ibm_mq() {
  [[ ${MQAWS_ACCEPT_LICENCE:-} == yes ]] ||
    fail 3 "the license of IBM MQ is not accepted" "read it (mqlicense.sh in IBM's archive displays it), then add --accept-licence, or for Packer itself, -var accept_licence=yes"
  local found
  if found=$(engine_version); then
    [[ $found == "$MQAWS_ENGINE_VERSION" ]] ||
      fail 3 "IBM MQ $found is installed, not $MQAWS_ENGINE_VERSION" "use a base image without IBM MQ, or correct image.engine_version"
    say "IBM MQ $found is already installed"
    return
  fi
  [[ ${MQAWS_PACKAGE:-} ]] || fail 3 "no package of IBM MQ is specified" "set image.package to IBM's archive, a file or an s3:// address"
  archive "IBM MQ"

  tar -xf "$archive" -C "$work" MQServer ||
    fail 3 "the package of IBM MQ is not an archive with a folder MQServer" "use IBM's archive for Linux unchanged"
  local server=$work/MQServer part file needed=1 files=() edition=.rpm
  if [[ $packages == apt ]]; then edition=.deb; fi
  [[ -f $server/mqlicense.sh ]] || fail 3 "the package of IBM MQ has no MQServer/mqlicense.sh" "use IBM's archive for Linux unchanged"
  for part in "${parts[@]}"; do
    if [[ $part == -- ]]; then
      needed=
      continue
    fi
    if file=$(file_of "$server" "$part"); then
      files+=("$file")
    elif [[ $needed ]]; then
      fail 3 "the package of IBM MQ has no part $part as $edition" "use IBM's archive of IBM MQ Server with $edition packages"
    else
      say "the package has no part $part"
    fi
  done

  with_openssl
  say "accept the license"
  (cd "$server" && bash ./mqlicense.sh -accept >/dev/null)
  discard+=(/tmp/mq_license_*)
  chmod 755 "$work"
  install_packages "${files[@]}"
  # A production licence; the agent accepts it on every boot, since /var/mqm is new on each instance.
  if [[ -f $server/licenses/amqpcert.lic ]]; then
    install -D -m 0644 "$server/licenses/amqpcert.lic" /etc/mqaws/licence.lic
  fi

  found=$(engine_version) || fail 1 "cannot determine the installed version from /opt/mqm/bin/dspmqver" "run it on the build host: packer build -on-error=ask"
  [[ $found == "$MQAWS_ENGINE_VERSION" ]] ||
    fail 3 "the package contains IBM MQ $found, not $MQAWS_ENGINE_VERSION" "correct image.engine_version or image.package"
  local mqm
  mqm=$(stat -c %u:%g /var/mqm)
  [[ $mqm == "$MQAWS_MQM_UID:$MQAWS_MQM_GID" ]] || fail 1 "/var/mqm belongs to $mqm" "its IDs must be those of mqm"
  say "IBM MQ $found is installed"
}

# What is installed of RabbitMQ: packages of the user's own archive, with Erlang among them, or that of the distribution.
rabbitmq_packages() {
  if [[ ! ${MQAWS_PACKAGE:-} ]]; then
    has_package rabbitmq-server ||
      fail 3 "the repositories of this system have no rabbitmq-server" "specify the packages of RabbitMQ and Erlang with image.package, or use a base image whose repositories contain both: those of Amazon Linux 2023 contain neither, those of Debian 12 both"
    files=(rabbitmq-server)
    return
  fi
  archive RabbitMQ
  local edition=.rpm
  if [[ $packages == apt ]]; then edition=.deb; fi
  tar -xf "$archive" -C "$work" --no-same-owner ||
    fail 3 "the package of RabbitMQ is not a tar archive" "use an archive with the $edition packages of RabbitMQ and Erlang"
  mapfile -t files < <(find "$work" -type f -name "*$edition" | LC_ALL=C sort)
  [[ ${files[*]} == */rabbitmq-server[_-]* ]] ||
    fail 3 "the package of RabbitMQ has no rabbitmq-server as $edition" "use an archive with the $edition packages of RabbitMQ and Erlang"
  chmod -R a+rX "$work"
}

rabbitmq() {
  local files=()
  if ! command -v rabbitmqctl >/dev/null; then
    rabbitmq_packages
    # The package would start it, and a node that has run has a cookie, which every instance would share.
    local policy=/usr/sbin/policy-rc.d
    if [[ $packages == apt && ! -e $policy ]]; then
      discard+=("$policy")
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod 755 "$policy"
    fi
    install_packages "${files[@]}"
  fi
  with_openssl
  systemctl -q disable rabbitmq-server.service
  local found
  found=$(engine_version)
  # The beginning of a version will do.
  [[ $found == "$MQAWS_ENGINE_VERSION" || $found == "$MQAWS_ENGINE_VERSION"[.+~-]* ]] ||
    fail 3 "RabbitMQ $found is installed, not $MQAWS_ENGINE_VERSION" "correct image.engine_version, use a different base image, or specify the packages with image.package"
  say "RabbitMQ $found is installed, and is not started at boot"
}

case $MQAWS_ENGINE in
  ibm-mq) ibm_mq ;;
  rabbitmq) rabbitmq ;;
esac
