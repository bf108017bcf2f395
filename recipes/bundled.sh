#!/bin/sh
# Train the weights that ship with AdaIR: recipes/bundled.sh PHOTOS RUNS [MINUTES [TASK ...]]
#
# With tasks, only their adapters. One thread each, two such runs side by side do 1.2 times the steps of one run with two threads:
#
#     OMP_NUM_THREADS=1 recipes/bundled.sh PHOTOS RUNS 230 denoise gaussian-denoise dejpeg &
#     OMP_NUM_THREADS=1 recipes/bundled.sh PHOTOS RUNS 230 sr deblur derain
set -eu
photos=$1 runs=$2 minutes=${3:-60}
if [ $# -gt 3 ]; then shift 3; else set --; fi
only=" $* "
adair=${ADAIR:-adair}
held_out="--exclude budgie-kitten-on-lawn --exclude budgie-lake-sherburne --exclude budgie-roman-colosseum"
common="--photos $photos --cache $runs/cache $held_out --schedule time --texture 0.5"

go_on() { # the word that resumes a run, if there is a checkpoint
    if [ -e "$1" ]; then echo --resume; fi
}

train() { # run a training command; an interrupted one (it saves, and exits with 130) ends the script, not yet done
    code=0
    "$@" >"$runs/last-$$.txt" || code=$?
    cat "$runs/last-$$.txt"
    [ "$code" -eq 0 ] || exit "$code"
    if grep -q "stopped early" "$runs/last-$$.txt"; then exit 130; fi
}

mkdir -p "$runs"
if [ ! -e "$runs/done-foundation" ]; then
    # shellcheck disable=SC2046,SC2086
    train $adair pretrain $common -o "$runs" --hold 0.4 --max-minutes "$minutes" $(go_on "$runs/checkpoint.safetensors")
    touch "$runs/done-foundation"
fi

# Share of MINUTES, highest learning rate, and the task whose adapter it starts from, if that is nearer than the foundation alone.
for entry in "denoise 0.22 2e-3" "gaussian-denoise 0.14 1.5e-3 denoise" "sr 0.26 2e-3" "deblur 0.14 1.5e-3 sr" \
    "dejpeg 0.14 2e-3" "derain 0.1 1.5e-3"; do
    # shellcheck disable=SC2086
    set -- $entry
    task=$1 time=$(awk "BEGIN { print $minutes * $2 }") rate=$3 start=${4:+"--start $runs/${4-}.safetensors"}
    case $only in "  " | *" $task "*) ;; *) continue ;; esac
    if [ ! -e "$runs/done-$task" ]; then
        # shellcheck disable=SC2046,SC2086
        train $adair adapt "$task" $common -o "$runs/$task.safetensors" --foundation "$runs/foundation.safetensors" \
            $start --learning-rate "$rate" --max-minutes "$time" $(go_on "$runs/$task.checkpoint.safetensors")
        touch "$runs/done-$task"
    fi
done
