#!/bin/sh
# Create the secrets that compose.yaml mounts as files, once, in ./secrets. They are in no environment variable and no image.
# Keep a copy of secrets/master-keys elsewhere: without it the vault cannot be opened.
set -eu
cd "$(dirname "$0")"

if ! mkdir -m 700 secrets; then
    echo "They are there already, and would be lost: remove secrets/ yourself if that is meant." >&2
    exit 1
fi
# Each is mounted separately and must be readable for the container's user; on this machine the folder protects them.
umask 022

postgres=$(openssl rand -hex 24)
redis=$(openssl rand -hex 24)
certificate=/run/secrets/postgres.crt
echo "$postgres" >secrets/postgres-password
echo "postgresql://mistral_mcp:$postgres@postgres:5432/mistral_mcp?sslmode=verify-full&sslrootcert=$certificate" >secrets/database-url
echo "$redis" >secrets/redis-password
echo "requirepass $redis" >secrets/redis.conf
echo "redis://:$redis@redis:6379/0" >secrets/redis-url
openssl rand -hex 32 >secrets/master-keys
openssl rand -hex 24 >secrets/metrics-token

# The certificate is self-signed: `serve` accepts only this one.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=postgres \
    -addext subjectAltName=DNS:postgres -keyout secrets/postgres.key -out secrets/postgres.crt 2>/dev/null
chmod 644 secrets/postgres.key
