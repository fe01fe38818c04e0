#!/bin/bash
# One campaign as a job of SLURM: a Ray cluster over the job's nodes, and the driver on the first of them.
#   sbatch --nodes=3 --gpus-per-node=4 slurm.sh mine.yaml --set executor.ray.gpus=1
# The allocation ends, or is preempted: the job goes back into the queue, and the campaign goes on where it was.
#SBATCH --job-name=automl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -euo pipefail

study=${1:?usage: sbatch slurm.sh STUDY.yaml [words of automl run]}
shift
: "${AUTOML_STORE:?must name a database that the first node reaches: postgresql://…}"
: "${SLURM_JOB_NODELIST:?is set by SLURM: submit this file with sbatch}"
cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}
port=$((20000 + SLURM_JOB_ID % 10000)) # another job may have a head on the same node
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN # srun hands both on to every node

again() { # SLURM says that the time is up, or that the nodes are wanted
    local newest
    newest=$(jobs -p | tail -n 1) # the driver, once it is there
    if [ -n "$newest" ]; then
        kill -TERM "$newest" || true
        wait "$newest" || true
    fi
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
}
trap again TERM # before there is a driver: the time may be up while nodes start

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${nodes[0]}
address=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" hostname -I | awk '{print $1}')

start() { # a node of the cluster, which lives as long as this job
    local node=$1
    shift
    srun --overlap --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$node" \
        ray start --block --disable-usage-stats --num-cpus="$cpus" "$@" &
}

start "$first" --head --node-ip-address="$address" --port="$port" --include-dashboard=false
for _ in $(seq 60); do # until the head answers
    if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then break; fi
    sleep 1
done
for node in "${nodes[@]:1}"; do
    start "$node" --address="$address:$port"
done

automl run "$study" --progress log --set "executor.ray.address=$address:$port" "$@" &
driver=$!
code=0
wait "$driver" || code=$?
exit "$code" # ends the job, and with it Ray on all nodes
