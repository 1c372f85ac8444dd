{{- define "memoir.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "memoir.selector" -}}
app.kubernetes.io/name: memoir
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "memoir.labels" -}}
{{ include "memoir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "memoir.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "memoir.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "memoir.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Probes of Kubernetes cannot encrypt: with TLS they have a port of their own. */}}
{{- define "memoir.healthPort" -}}
{{ if .Values.tls.secret }}50053{{ else }}50051{{ end }}
{{- end -}}

{{- define "memoir.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "memoir.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The environment that the servers and the migration share. */}}
{{- define "memoir.environment" -}}
- {name: MEMOIR_MODELS, value: {{ .Values.models | quote }}}
- {name: MEMOIR_NEO4J_URI, value: {{ .Values.neo4j.uri | quote }}}
- {name: MEMOIR_NEO4J_USER, value: {{ .Values.neo4j.user | quote }}}
{{- if .Values.databasesCa }}
- {name: SSL_CERT_FILE, value: /etc/memoir/databases/ca.crt}
{{- end }}
{{- end -}}

{{- define "memoir.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.tls.secret }}
- {name: tls, mountPath: /etc/memoir/tls, readOnly: true}
{{- end }}
{{- if .Values.databasesCa }}
- {name: databases-ca, mountPath: /etc/memoir/databases, readOnly: true}
{{- end }}
{{- end -}}

{{- define "memoir.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if .Values.tls.secret }}
- name: tls
  secret: {secretName: {{ .Values.tls.secret }}}
{{- end }}
{{- if .Values.databasesCa }}
- name: databases-ca
  secret: {secretName: {{ .Values.databasesCa }}}
{{- end }}
{{- end -}}
