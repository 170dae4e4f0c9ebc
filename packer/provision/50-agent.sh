#!/usr/bin/env bash
# 50-agent.sh: the agent, its units, the settings of systemd that it counts on, and the record of what this image holds.
# Nothing is enabled: the user data of a deployment starts the agent, and the agent everything else.
# shellcheck disable=SC2034 # for step.sh
step=agent
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

agent=$provision/mqaws-agent
[[ -f $agent ]] || fail 3 "the agent does not exist ($agent)" "specify the executable mqaws-agent of the release: --agent PATH"
chmod 755 "$agent"
found=$("$agent" --version) || fail 3 "the agent does not run on this machine" "it is built for x86_64 and glibc 2.34 or later"
[[ $found == "mqaws-agent $MQAWS_AGENT_VERSION" ]] ||
  fail 3 "the agent is $found, not $MQAWS_AGENT_VERSION" "use mqaws and mqaws-agent from the same release"
say "$found"
install -m 0755 "$agent" /usr/bin/mqaws-agent

put() {
  local source
  for source in "$provision/units/"$1; do
    install -D -m 0644 "$source" "$2/${source##*/}"
    say "$2/${source##*/}"
  done
}
put '*.service' /etc/systemd/system
for settings in system logind journald; do
  put "$settings.conf.d/*.conf" "/etc/systemd/$settings.conf.d"
done
put 'modules-load.d/*.conf' /etc/modules-load.d
if [[ $MQAWS_ENGINE == ibm-mq ]]; then
  # RabbitMQ rotates the log that its settings name by itself.
  put 'tmpfiles.d/*.conf' /etc/tmpfiles.d
fi
systemctl -q disable mqaws-agent.service

record=/etc/mqaws/image.json
install -d -m 0755 /etc/mqaws
version=$(engine_version)
licence=none
if [[ $MQAWS_ENGINE == ibm-mq ]]; then licence=accepted; fi
cat >"$record" <<JSON
{
  "schema": "mqaws.image/1",
  "agent_version": "$MQAWS_AGENT_VERSION",
  "engine": "$MQAWS_ENGINE",
  "engine_version": "$version",
  "licence": "$licence",
  "mount": "$MQAWS_MOUNT",
  "uid": $MQAWS_MQM_UID,
  "gid": $MQAWS_MQM_GID
}
JSON
chmod 644 "$record"
say "$record"
