# shellcheck shell=bash
# step.sh: what every step begins with. Sourced after `step=NAME`, never run on its own.
# The steps change the machine that they run on and wipe its identity. So none runs unless the provisioner says that this
# machine becomes an image (MQAWS_PROVISION=1), nor on one that carries a deployment.
set -euo pipefail
# Where the provisioner puts this folder, the agent and the packages. The last step takes it away.
# shellcheck disable=SC2034 # for the steps
provision=/tmp/mqaws-provision

say() { printf 'mqaws: %s: %s\n' "${step:?}" "$*"; }

# What a step leaves for its end to take away.
discard=()
told=

# fail EXIT ERROR HINT: 3 where the user has to do something first, otherwise 1.
fail() {
  printf 'error: %s: %s\nhint: %s\n' "$step" "$2" "$3" >&2
  told=1
  exit "$1"
}

finish() {
  local code=$? last=$BASH_COMMAND
  rm -rf -- "${discard[@]}"
  if ((code)) && [[ -z $told ]]; then
    printf 'error: %s: exit %d of: %s\nhint: see its output above\n' "$step" "$code" "$last" >&2
    exit 1
  fi
}
trap finish EXIT

[[ ${MQAWS_PROVISION:-} == 1 ]] ||
  fail 3 "this machine is not marked as an image build" "the rendered Packer template sets MQAWS_PROVISION=1; run the steps only from it, and never on a machine that you need"
((EUID == 0)) || fail 3 "this step requires root" "run it with sudo"
[[ ! -e /etc/mqaws/agent.json ]] ||
  fail 3 "this machine is part of a deployment (/etc/mqaws/agent.json)" "build from a base image, not on an instance of a deployment"

# One word each: they go into files and commands.
for variable in MQAWS_ENGINE MQAWS_AGENT_VERSION MQAWS_ENGINE_VERSION MQAWS_MOUNT MQAWS_MQM_UID MQAWS_MQM_GID; do
  [[ ${!variable:-} =~ ^[A-Za-z0-9.+~_-]+$ ]] ||
    fail 3 "$variable is \`${!variable:-}\`, not one word" "the rendered Packer template sets it"
done
# shellcheck disable=SC2034 # for the steps
case $MQAWS_ENGINE in
  ibm-mq) user=mqm ;;
  rabbitmq) user=rabbitmq ;;
  *) fail 3 "MQAWS_ENGINE is \`$MQAWS_ENGINE\`" "it is ibm-mq or rabbitmq" ;;
esac

# shellcheck source=/dev/null
system=$(. /etc/os-release && echo "$ID")
case $system in
  debian | ubuntu) packages=apt ;;
  rhel | amzn) packages=dnf ;;
  *) fail 3 "the steps do not support system \`$system\`" "use a base image of RHEL 9, Amazon Linux 2023, Debian 12 or Ubuntu" ;;
esac

# A base image's own lists are old or gone; once a build is enough.
refresh() {
  if [[ $packages == apt && ! -e $provision/refreshed ]]; then
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    : >"$provision/refreshed"
  fi
}

# Names of the distribution, or package files.
install_packages() {
  say "install $*"
  refresh
  case $packages in
    apt) DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" ;;
    dnf) dnf -q -y install "$@" ;;
  esac
}

# Whether the distribution has a package of this name.
has_package() {
  refresh
  case $packages in
    apt) apt-get -qq -s install --no-install-recommends "$1" >/dev/null 2>&1 ;;
    dnf) dnf -q list "$1" >/dev/null 2>&1 ;;
  esac
}

# The version of the engine that is installed.
engine_version() {
  case $MQAWS_ENGINE-$packages in
    ibm-mq-*) [[ -x /opt/mqm/bin/dspmqver ]] && /opt/mqm/bin/dspmqver -b -f 2 ;;
    rabbitmq-apt) dpkg-query -W -f '${Version}' rabbitmq-server ;;
    rabbitmq-dnf) rpm -q --qf '%{VERSION}' rabbitmq-server ;;
  esac
}

# verify FILE SHA256 WHAT: before anything of a file is used.
verify() {
  local file=$1 wanted=$2 what=$3 found
  [[ -f $file ]] || fail 3 "$what does not exist ($file)" "set its path in the image section of mqaws.yaml"
  [[ $wanted =~ ^[0-9A-Fa-f]{64}$ ]] ||
    fail 3 "the SHA-256 of $what is \`$wanted\`, not 64 hexadecimal characters" "use the checksum from the publisher of the file, do not compute it from the file itself"
  # From standard input: a name with a backslash in it would put one before the sum.
  found=$(sha256sum <"$file" | cut -d' ' -f1)
  [[ $found == "${wanted,,}" ]] ||
    fail 3 "the SHA-256 of $what is $found, not ${wanted,,}" "download the file again, or correct its checksum in mqaws.yaml"
  say "the SHA-256 of $what is correct"
}
