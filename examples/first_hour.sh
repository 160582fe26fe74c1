#!/bin/sh
# The longer steps of "The first hour on AWS" in docs/operation.md, run in a clone: sh examples/first_hour.sh STEP
#
# They use the stack waitpoints (STACK), with the region and credentials of the environment, and the commands waitpoints, aws,
# sam, curl, python3 and openssl. Each says what it saw, and ends with status 1 at the first thing that is not as it should be,
# or with 77 if it has nothing to try. SAM uploads to BUCKET, if there is one, and the stacks get the tag waitpoints-run=RUN.
set -eu

stack=${STACK:-waitpoints}
here=${ARCHIVE:-.}   # the folder of the version that is deployed, built
spread=${SPREAD:-60} # seconds that a changed role may need until every service knows it
answer=$(mktemp)
narrowed= # while the stack may resume only its own machine's executions
second=   # the state machine that a step has made
trap 'rm -f "$answer" "$answer.sam"; [ -z "$narrowed" ] || allow "$before"; [ -z "$second" ] || remove "$second"' EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED  $*" >&2
    exit 1
}

# The stack's output of this name.
output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# Create a token with these options. Sets id and url.
new_token() {
    id=$(waitpoints create --timeout 1h --tag first-hour --quiet --stack="$stack" "$@")
    url=$(waitpoints url "$id" --stack="$stack")
}

# Run a command every few seconds until it succeeds, for so many seconds at most.
within() {
    end=$(($(date +%s) + $1))
    shift
    until "$@" >"$answer" 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || fail "after all this time, $* still says: $(cat "$answer")"
        sleep 2
    done
}

# Ask with curl. The answer must have this status.
expect() {
    wanted=$1 what=$2
    shift 2
    status=$(curl -s -o "$answer" -w '%{http_code}' "$@") || fail "$what: no answer"
    [ "$status" = "$wanted" ] || fail "$what: $status in place of $wanted: $(head -c 300 "$answer")"
    echo "ok  $what: $status"
}

# The token has this output.
shows() {
    waitpoints get "$id" --stack="$stack" >"$answer"
    grep -F "$1" "$answer" || fail "the output is not $1: $(cat "$answer")"
}

definitions() {
    refused=
    for file in examples/statemachines/*.asl.json; do
        sed -E 's/\$\{Partition\}/aws/g; s/\$\{[A-Za-z]+\}/arn:aws:lambda:us-east-1:123456789012:function:f/g' "$file" >"$answer"
        said=$(aws stepfunctions validate-state-machine-definition --definition "file://$answer" --output json \
            --query '{result: result, diagnostics: diagnostics}')
        case $said in
        *'"OK"'*) echo "ok  $file" ;;
        *) refused="$refused $file" && echo "$file: $said" ;;
        esac
    done
    [ -z "$refused" ] || fail "Step Functions does not take$refused"
}

waiter_is() {
    waitpoints get "$id" --stack="$stack" | grep "^waiter 1.$1"
}

left_undone() {
    ! waitpoints doctor --stack="$stack"
}

# Deploy what is built in a folder, with further options of SAM, whose long output only a failure shows.
deploy() {
    (cd "$1" && shift && sam deploy --stack-name "$stack" "$@" ${RUN:+--tags "waitpoints-run=$RUN"} \
        ${BUCKET:+--no-resolve-s3 --s3-bucket "$BUCKET" --s3-prefix "$stack"}) >"$answer.sam" 2>&1 && return
    tail -n 20 "$answer.sam"
    fail "$stack was not deployed: $(tail -n 1 "$answer.sam")"
}

allow() {
    deploy "$here" --parameter-overrides "ResumableStateMachines=\"$1\""
    sleep "$spread"
}

# Make a state machine like the stack's own, which the stack may always resume. Sets second.
copy_machine() {
    own=$(output StateMachineArn)
    described() {
        aws stepfunctions describe-state-machine --state-machine-arn "$own" --output text --query "$1"
    }
    described definition >"$answer"
    second=$(aws stepfunctions create-state-machine --name "$stack-$$" --role-arn "$(described roleArn)" \
        --definition "file://$answer" --query stateMachineArn --output text)
}

remove() {
    aws stepfunctions delete-state-machine --state-machine-arn "$1"
}

refused_resume() {
    copy_machine
    machine=$second
    before=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Parameters[?ParameterKey=='ResumableStateMachines'].ParameterValue")
    narrowed=yes
    allow "$machine-none"
    new_token
    aws stepfunctions start-execution --state-machine-arn "$machine" --input "{\"token\": {\"id\": \"$id\"}}" >"$answer"
    within 60 waiter_is WAITING
    waitpoints complete "$id" '"late"' --stack="$stack"
    within 180 left_undone
    cat "$answer"
    waiter_is UNDELIVERED || fail "the execution went on: its resume was not refused. Try again with SPREAD=300"
    waitpoints logs '"reason":' --stack="$stack" | tail -n 1
    echo "ok  refused, and the doctor names $id"
    allow "$before"
    narrowed=
    within 180 waitpoints redrive --stack="$stack"
    waiter_is RESUMED || fail "nothing is left undone, but $id has no waiter that was resumed"
}

with_key() {
    WAITPOINTS_URL=$api WAITPOINTS_API_KEY=$key waitpoints "$@"
}

is_401() {
    with_key list 2>&1 | grep '401'
}

named_key() {
    name=first-hour-$$ api=$(output ApiUrl)
    key=$(waitpoints keys create "$name" --scope create:"$name" --scope read:"$name" --quiet --stack="$stack")
    within 20 with_key list
    id=$(with_key create --quiet)
    [ "$(with_key list | cut -f1)" = "$id" ] || fail "the key does not list its own token alone"
    echo "ok  creates and lists what has its tag"
    if with_key complete "$id" true 2>"$answer"; then fail "a key without the scope completes"; fi
    grep 403 "$answer"
    waitpoints keys revoke "$name" --yes --stack="$stack"
    within 90 is_401
    echo "ok  refused once it was revoked"
}

bodies() {
    secret=$(openssl rand -hex 20) body='{"café": 1}' api=$(output ApiUrl)
    printf %s "$secret" | waitpoints secrets put FIRST_HOUR --stack="$stack"
    signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$secret" -r | cut -c1-64)
    new_token --verify github:FIRST_HOUR
    for sent in "401 $(printf %064d 0)" "200 $signature"; do
        expect "${sent% *}" "signed with ${sent#* }" "$url" -d "$body" -H 'content-type: application/json' \
            -H "x-hub-signature-256: sha256=${sent#* }"
    done
    shows "$body"
    new_token
    for bytes in 5000000 11000000; do
        head -c "$bytes" /dev/zero >"$answer.large"
        status=$(curl -s -o "$answer" -w '%{http_code}' "$url" --data-binary "@$answer.large") || fail "$bytes bytes: no answer"
        [ "$status" -ge 400 ] || fail "$bytes bytes: $status"
        echo "noted  $bytes bytes: $status" # escapes make either body larger than Lambda accepts: which status, only AWS knows
        rm "$answer.large"
    done
    expect 200 "HEAD" -I "$url"
    expect 200 "a page" "$url" -H 'accept: text/html'
    grep -q '<html' "$answer" || fail "GET of a callback URL shows no page"
    expect 200 "OPTIONS" -X OPTIONS "$api/api/v1/waitpoints/tokens/$id/complete" -H 'origin: https://example.com' \
        -H 'access-control-request-method: POST'
    expect 200 "the console" "$api/console"
    expect 200 "a form" "$url" -d 'name=caf%C3%A9'
    shows '{"name":"café"}'
}

restore() {
    table=$(output TableName) copy=$(output TableName)-restored
    id=$(waitpoints list --oldest-first --limit 1 --stack="$stack" | cut -f1)
    aws dynamodb restore-table-to-point-in-time --source-table-name "$table" --target-table-name "$copy" \
        --use-latest-restorable-time >"$answer"
    within 3600 aws dynamodb wait table-exists --table-name "$copy"
    aws dynamodb delete-item --table-name "$table" --key "{\"id\": {\"S\": \"$id\"}, \"item\": {\"S\": \"token\"}}"
    if waitpoints get "$id" --stack="$stack" >"$answer" 2>&1; then fail "$id is still there"; fi
    waitpoints restore "$copy" --yes --stack="$stack"
    waitpoints get "$id" --stack="$stack" | head -n 2
    aws dynamodb delete-table --table-name "$copy" >"$answer"
}

# Deploy the version in a folder, which an archive has built.
deploy_from() {
    if [ ! -f "$1/functions.zip" ]; then (cd "$1" && sam build) >"$answer" 2>&1 || fail "$1: $(tail -n 20 "$answer")"; fi
    deploy "$1" ${PARAMETERS:+--parameter-overrides $PARAMETERS}
}

# Start an execution that waits for a new token with these options. Sets id, url and execution.
waits() {
    new_token "$@"
    execution=$(aws stepfunctions start-execution --state-machine-arn "$machine" --query executionArn --output text \
        --input "{\"token\": {\"id\": \"$id\"}}")
    within 60 waiter_is WAITING
}

has_ended() {
    status=$(aws stepfunctions describe-execution --execution-arn "$1" --query status --output text)
    [ "$status" = "$2" ]
}

# Post to a callback URL. The execution that waits for it then succeeds.
answer() {
    expect 200 "$1" "$2" -d "${4-true}" -H 'content-type: application/json'
    within 60 has_ended "$3" SUCCEEDED
}

upgrade() {
    stack=${stack}older old=$(mktemp -d) key=first-hour-$$
    trap 'rm -rf "$answer" "$answer.sam" "$old"' EXIT
    if [ -d "${FROM-}" ]; then
        cp -R "$FROM/." "$old"
    elif [ -n "${FROM-}" ]; then
        python3 -m zipfile -e "$FROM" "$old" && mv "$old"/*/* "$old"
    elif tag=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null); then
        git archive "$tag" | tar -x -C "$old"
    else
        echo "skipped: this clone has no tag v… of an older version, and FROM names no archive" && exit 77
    fi
    deploy_from "$old"
    machine=$(output StateMachineArn) from=$(output Version)
    waits --timeout "${SHORT:-10m}"
    short=$execution
    waits
    plain_url=$url plain=$execution
    waits --timeout 30d
    long_url=$url long=$execution
    waits --key "$key"
    key_url=$url keyed=$execution key_id=$id
    waits --page '{"title": "Go on?"}'
    page_url=$url page=$execution
    deploy_from "$here"
    printf 'figure\tversions\tfrom %s to %s, and back\n' "$from" "$(output Version)"
    answer "after the upgrade" "$plain_url" "$plain"
    deploy_from "$old"
    answer "after the way back" "$long_url" "$long"
    deploy_from "$here"
    new_token --key "$key"
    [ "$id" = "$key_id" ] || fail "the key $key has another token than before"
    answer "a token with a key" "$key_url" "$keyed"
    answer "a token with a page" "$page_url" "$page" '{"action": "submit", "fields": {}}'
    within 900 has_ended "$short" FAILED
    echo "ok  all five executions have ended. Now: waitpoints smoke --stack $stack, and sam delete --stack-name $stack"
}

# Deploy an archive's gradual template with a mark of its own: without a new one, there is no new version to shift to.
shift_to() {
    sed "s/ RELEASE: .*/ RELEASE: $(date +'"%s"')/" "$1/gradual.yaml" >"$1/shifted.yaml"
    deploy "$1" --template-file shifted.yaml --no-confirm-changeset ${PARAMETERS:+--parameter-overrides $PARAMETERS}
}

gradual() {
    stack=${stack}gradual
    for deployment in first second; do
        began=$(date +%s)
        shift_to "$here"
        printf 'figure\t%s gradual deployment\t%s s\n' "$deployment" "$(($(date +%s) - began))"
    done
    waitpoints smoke --quick --stack "$stack"
}

broken() {
    stack=${stack}gradual bad=$(mktemp -d)
    trap 'rm -rf "$answer" "$answer.sam" "$bad"' EXIT
    cp -R "$here/." "$bad" && mkdir "$bad/code"
    (cd "$bad/code" && python3 -m zipfile -e ../functions.zip . && echo 'raise RuntimeError' >>resume_waiters.py &&
        rm ../functions.zip && python3 -m zipfile -c ../functions.zip ./*)
    ( (shift_to "$bad") >"$bad/said" 2>&1 && echo through || echo refused) >"$bad/became" &
    until [ -s "$bad/became" ]; do # the alarms need failures
        waitpoints smoke --quick --stack "$stack" >"$answer" 2>&1 || sleep 1
    done
    tail -n 20 "$bad/said"
    [ "$(cat "$bad/became")" = refused ] || fail "the broken deployment went through"
    state=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text)
    [ "$state" = UPDATE_ROLLBACK_COMPLETE ] || fail "the stack is in $state"
    within 600 waitpoints smoke --quick --stack "$stack"
    echo "ok  it went back"
}

# Make a role that this principal may assume. Prints its ARN.
role() {
    trust='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {'$2'}}]}'
    aws iam create-role --role-name "$1" --assume-role-policy-document "$trust" --tags "Key=waitpoints-run,Value=$RUN" \
        --query Role.Arn --output text
}

as_deployer() {
    (set -- $keys "$@" && export AWS_ACCESS_KEY_ID="$1" AWS_SECRET_ACCESS_KEY="$2" AWS_SESSION_TOKEN="$3" && unset AWS_PROFILE
        shift 3 && "$@")
}

# Deploy a second stack with the rights of docs/deployer-policy.json, a role for CloudFormation and a boundary. Then delete them:
# without its role, nobody could delete the stack.
boundary() {
    account=$(aws sts get-caller-identity --query Account --output text)
    stack=${stack}boundary limit=arn:aws:iam::aws:policy/PowerUserAccess
    makes=$stack-makes deploys=$stack-deploys
    made=$(role "$makes" '"Service": "cloudformation.amazonaws.com"')
    deployer=$(role "$deploys" "\"AWS\": \"$account\"")
    aws iam attach-role-policy --role-name "$makes" --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
    sed "s/123456789012/$account/; s/waitpoints-prod/$stack/; s/ROLE/$makes/; s/aws-sam-cli-managed-default-[*]/$BUCKET*/" \
        docs/deployer-policy.json >"$answer"
    aws iam put-role-policy --role-name "$deploys" --policy-name deploys --policy-document "file://$answer"
    sleep "$spread"
    keys=$(aws sts assume-role --role-arn "$deployer" --role-session-name first-hour --output text \
        --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]')
    as_deployer deploy "$here" --role-arn "$made" --parameter-overrides "PermissionsBoundary=$limit" ${PARAMETERS-}
    as_deployer aws cloudformation delete-stack --stack-name "not-$stack" >"$answer" 2>&1 || true
    if grep -q AccessDenied "$answer"; then
        echo "ok  AccessDenied: the deployer may not delete another stack"
    else
        [ -n "${AWS_ENDPOINT_URL-}" ] || fail "the deployer may delete another stack: $(cat "$answer")"
        printf 'differs\tnoted, not denied: this emulator let the deployer delete another stack\n'
    fi
    waitpoints smoke --quick --stack "$stack"
    resource=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id CreateTokenRole \
        --query StackResourceDetail.PhysicalResourceId --output text)
    found=$(aws iam get-role --role-name "$resource" --query Role.PermissionsBoundary.PermissionsBoundaryArn --output text)
    [ "$found" = "$limit" ] || fail "the boundary of $resource is $found"
    aws cloudformation delete-stack --stack-name "$stack"
    aws cloudformation wait stack-delete-complete --stack-name "$stack"
    aws iam detach-role-policy --role-name "$makes" --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
    aws iam delete-role-policy --role-name "$deploys" --policy-name deploys
    for name in "$makes" "$deploys"; do aws iam delete-role --role-name "$name"; done
    echo "ok  deployed with the deployer's rights, each role within $limit"
}

case ${1-} in
definitions | refused_resume | named_key | bodies | upgrade | restore | gradual | broken | boundary) "$1" ;;
*) fail "say which step: definitions, refused_resume, named_key, bodies, upgrade, restore, gradual, broken or boundary" ;;
esac
