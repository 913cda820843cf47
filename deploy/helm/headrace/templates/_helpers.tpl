{{- define "headrace.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimAll "-" }}
{{- end }}

{{/*
50 characters: a StatefulSet adds its ordinal and a hash, and the sum must fit in a label of 63. A release may be called
`2026` or `my.city`, and a Service may not: it begins with a letter, and has no dots.
*/}}
{{- define "headrace.fullname" -}}
{{- $name := include "headrace.name" . -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimAll "-" }}
{{- else if regexMatch "^[0-9]" $release -}}
{{- printf "%s-%s" $name $release | trunc 50 | trimAll "-" }}
{{- else if contains $name $release -}}
{{- $release | trunc 50 | trimAll "-" }}
{{- else -}}
{{- printf "%s-%s" $release $name | trunc 50 | trimAll "-" }}
{{- end }}
{{- end }}

{{- define "headrace.selector" -}}
app.kubernetes.io/name: {{ include "headrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "headrace.labels" -}}
{{ include "headrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "headrace.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/*
One reader's configuration: `config` with what differs for this one, a session named after the pod, and an address that
probes and Prometheus can reach.
*/}}
{{- define "headrace.config" -}}
{{- $config := mergeOverwrite (deepCopy .root.Values.config) (deepCopy .reader) -}}
{{- range $name, $feed := $config.feeds -}}
{{- if not $feed.kind -}}
{{- fail (printf "Feed %s of a reader is in no `config.feeds`, so it needs a `kind`: mqtt or semtech_udp." $name) -}}
{{- end -}}
{{- if and (eq $feed.kind "mqtt") (not $feed.client_id) -}}
{{- $_ := set $feed "client_id" (printf "${POD_NAME}-%s" $name) -}}
{{- end -}}
{{- end -}}
{{- $token := .root.Values.adminToken -}}
{{- $file := printf "${CREDENTIALS_DIRECTORY}/%s/%s" $token.secret $token.key -}}
{{- $admin := mergeOverwrite (dict "listen" "0.0.0.0:9464" "token_file" $file) ($config.admin | default dict) -}}
{{- if not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\]):9464$" $admin.listen) -}}
{{- fail (printf "config.admin.listen: expected 0.0.0.0:9464 (or [::]:9464), where probes and Prometheus look; got %s. Leave it out." $admin.listen) -}}
{{- end -}}
{{- $_ := set $config "admin" $admin -}}
{{ toYaml $config }}
{{- end }}
