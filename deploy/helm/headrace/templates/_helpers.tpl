{{- define "headrace.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 50 characters: a StatefulSet adds its ordinal and a hash, and the sum must fit in a label of 63. */}}
{{- define "headrace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "headrace.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "headrace.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "headrace.selector" -}}
app.kubernetes.io/name: {{ include "headrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
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
{{- if and (eq $feed.kind "mqtt") (not $feed.client_id) -}}
{{- $_ := set $feed "client_id" (printf "${POD_NAME}-%s" $name) -}}
{{- end -}}
{{- end -}}
{{- if not $config.admin -}}
{{- $token := .root.Values.adminToken -}}
{{- $file := printf "${CREDENTIALS_DIRECTORY}/%s/%s" $token.secret $token.key -}}
{{- $_ := set $config "admin" (dict "listen" "0.0.0.0:9464" "token_file" $file) -}}
{{- end -}}
{{ toYaml $config }}
{{- end }}
