"""`symrnn.torch` on two processes: DistributedDataParallel, FSDP2 and checkpoints beside one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch.distributed", reason="PyTorch is not installed, or without its distributed part")

COMMON = """
import os, sys, torch, torch.distributed as dist, symrnn.torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = symrnn.torch.Layer("gru", 6, 8, num_layers=2, bidirectional=True, dtype=torch.float64)
        self.head = nn.Linear(16, 3, dtype=torch.float64)
    def forward(self, x):
        return self.head(self.layer(x)[0])

torch.manual_seed(0)
model, whole = Model(), torch.randn(5, 8, 6, dtype=torch.float64)

def train(model, x, steps=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses

alone = Model()
alone.load_state_dict(model.state_dict())
train(alone, whole)
def end():
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # what PyTorch leaves of a group may abort the process as Python ends

dist.init_process_group("gloo")
rank = dist.get_rank()
mine = whole[:, 4 * rank : 4 * rank + 4]
"""
DDP = """
parallel = nn.parallel.DistributedDataParallel(model)
train(parallel, mine)
for ours, expected in zip(model.parameters(), alone.parameters()):
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
end()
"""
FSDP = """
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
import torch.distributed.checkpoint as dcp

mesh = init_device_mesh("cpu", (2,))
fully_shard(model.layer, mesh=mesh)
fully_shard(model, mesh=mesh)
assert model.layer.W_xz_l0.to_local().shape[0] == 4
train(model, mine)
for ours, expected in zip(model.parameters(), alone.parameters()):
    torch.testing.assert_close(ours.full_tensor(), expected, rtol=0, atol=1e-6)
dcp.save(model.state_dict(), checkpoint_id=sys.argv[1])
dist.barrier()
torch.manual_seed(1)
again = Model()
fully_shard(again.layer, mesh=mesh)
fully_shard(again, mesh=mesh)
state = again.state_dict()
dcp.load(state, checkpoint_id=sys.argv[1])
again.load_state_dict(state)
torch.testing.assert_close(again(mine), model(mine))
with torch.device("meta"):
    late = Model()
fully_shard(late.layer, mesh=mesh)
fully_shard(late, mesh=mesh)
late.to_empty(device="cpu")
torch.manual_seed(2)
late.layer.reset_parameters()
torch.manual_seed(2)
for ours, expected in zip(late.layer.parameters(), Model().layer.parameters()):
    torch.testing.assert_close(ours.full_tensor(), expected, rtol=0, atol=0)
end()
"""


def launch(script: Path, *arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", str(script), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SYMRNN_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=600, env=environment
    )


@pytest.mark.parametrize("text", [DDP, FSDP], ids=["DistributedDataParallel", "fully_shard"])
def test_two_processes_train_as_one(text: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(COMMON + text)
    done = launch(script, str(tmp_path / "checkpoint"))
    assert done.returncode == 0, done.stderr
