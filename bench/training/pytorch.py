"""An iteration of adversarial training of RDI-ResNet38 in PyTorch: the paper's recipe with the average form. Prints a JSON line for every iteration."""

import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH, STEPS, EPS, ALPHA = 128, 10, 8 / 255, 2 / 255


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def head(exit):
    if exit <= 2:
        return nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(16, 64, 5, 1, 2, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(64, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32),
            nn.AvgPool2d(8), nn.Flatten(), nn.Linear(32, 10),
        )
    if exit <= 4:
        return nn.Sequential(nn.MaxPool2d(2), Block(32, 32, 1), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(32, 10))
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10))


class RdiResNet38(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        blocks, inputs = [], 16
        for group, channels in enumerate((16, 32, 64)):
            for block in range(6):
                blocks.append(Block(inputs, channels, 2 if group > 0 and block == 0 else 1))
                inputs = channels
        self.blocks = nn.ModuleList(blocks)
        self.heads = nn.ModuleList(head(exit) for exit in range(1, 7))
        self.last = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x):
        logits, heads = [], iter(self.heads)
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i % 6 in (1, 4):
                logits.append(next(heads)(x))
        return logits + [self.last(x)]


def main(threads, iterations):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = RdiResNet38().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    x = torch.rand(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (BATCH,))
    losses = lambda images: [F.cross_entropy(logits, y) for logits in model(images)]
    for _ in range(iterations):
        start = time.perf_counter()
        adversarial = (x + torch.empty_like(x).uniform_(-EPS, EPS)).clamp(0, 1)
        for _ in range(STEPS):
            adversarial.requires_grad_(True)
            gradient, = torch.autograd.grad(sum(losses(adversarial)) / 7, adversarial)
            moved = adversarial.detach() + ALPHA * gradient.sign()
            adversarial = torch.min(torch.max(moved, x - EPS), x + EPS).clamp(0, 1)
        optimizer.zero_grad()
        (0.5 * sum(losses(x)) + 0.5 * sum(losses(adversarial))).backward()
        optimizer.step()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peakMiB": peak}), flush=True)


main(int(sys.argv[1]), int(sys.argv[2]))
