#!/bin/sh
# Train the next foundation for many hours, in as many pieces as it takes: recipes/campaign.sh PHOTOS RUN [MINUTES] [FALL]
#
# Starts from the file START (default: recipes/campaign/foundation.safetensors, without it the bundled foundation), or goes
# on from the checkpoint in RUN. The learning rate is constant and the result a long average of the weights, so it does not matter where a
# piece ends. After every MINUTES (75) the average replaces recipes/campaign/foundation.safetensors, in half precision,
# ready to be committed. With FALL, a number of steps, the rate falls to zero over so many steps instead and the script
# ends (the average is then shorter, as it must not reach back to the high rate): what is worth bundling comes from there. All at the lowest priority. One process with all cores; for several, set
# LAUNCH ("accelerate launch --multi_gpu --num_processes 2 --no_python"), and OMP_NUM_THREADS to the cores of each.
set -eu
photos=$1 run=$2 minutes=${3:-75} fall=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
snapshot=$here/campaign/foundation.safetensors
held_out="--exclude budgie-kitten-on-lawn --exclude budgie-lake-sherburne --exclude budgie-roman-colosseum"

start=${START:-$snapshot}
[ -e "$start" ] || start=$here/../src/adair/weights/bundled/foundation.safetensors

# A priority of its own does not help against other sessions: Linux shares by autogroup first (sched(7)), and every process
# that a launcher starts has one of its own. So each of them asks for the lowest.
lowest='{ echo 19 >/proc/self/autogroup; } 2>/dev/null || true; exec nice -n 19 python -m adair "$@"'

train() {
    # shellcheck disable=SC2086
    ${LAUNCH-} sh -c "$lowest" adair pretrain --device "${DEVICE:-cpu}" \
        --photos "$photos" --cache "${CACHE:-$run/cache}" $held_out --texture 0.5 --patch "${PATCH:-128}" \
        --batch "${BATCH:-8}" --learning-rate 6e-4 --average-steps 4000 --validate-steps 1000 --output "$run" "$@" ||
        [ $? -eq 130 ] # a signal to the training alone ends its piece, which is saved like any other
}

mkdir -p "$run" "$here/campaign"
while :; do
    if [ -n "$fall" ]; then
        train --resume --restart-schedule --hold 0 --steps "$fall" --average-steps $((fall / 8 + 1))
    elif [ -e "$run/checkpoint.safetensors" ]; then
        train --resume --hold 1 --steps 1000000 --max-minutes "$minutes"
    else
        train --start "$start" --hold 1 --steps 1000000 --max-minutes "$minutes"
    fi
    cp "$run/foundation.safetensors" "$snapshot.part" && mv "$snapshot.part" "$snapshot"
    echo "snapshot: $snapshot; commit it with a line in docs/training-log.md"
    [ -z "$fall" ] || exit 0
done
