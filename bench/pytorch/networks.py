"""RDI-SmallCNN and RDI-ResNet38 in PyTorch, with the names of parameters that this package's weights have, and the attack on them."""

import json
import struct

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet_branch(exit):
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
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for group, channels in enumerate((16, 32, 64)):
            for block in range(6):
                stride = 2 if group > 0 and block == 0 else 1
                self.add_module(f"group{group}_layer{block}", Block(inputs, channels, stride))
                inputs = channels
        for exit in range(1, 7):
            self.add_module(f"branch_layer{exit}", resnet_branch(exit))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        logits = []
        x = F.relu(self.bn1(self.conv1(x)))
        for group in range(3):
            for block in range(6):
                x = getattr(self, f"group{group}_layer{block}")(x)
                if block in (1, 4):
                    logits.append(getattr(self, f"branch_layer{len(logits) + 1}")(x))
        return logits + [self.fc(torch.flatten(F.avg_pool2d(x, 8), 1))]


class RdiSmallCnn(nn.Module):
    """Without dropout, whose draws differ between libraries; its places in the branches' numbering are kept."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 32, 3)
        self.conv3 = nn.Conv2d(32, 64, 3)
        self.conv4 = nn.Conv2d(64, 64, 3)
        self.fc1 = nn.Linear(1024, 200)
        self.fc2 = nn.Linear(200, 200)
        self.fc3 = nn.Linear(200, 10)
        self.branch_layer1 = nn.Sequential(
            nn.Conv2d(32, 16, 3, 2), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(576, 200), nn.Identity(), nn.Linear(200, 200), nn.Linear(200, 10),
        )
        self.branch_layer2 = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 200), nn.Identity(), nn.Linear(200, 200), nn.Linear(200, 10),
        )

    def forward(self, x):
        first = F.relu(self.conv1(x))
        second = F.relu(self.conv3(F.max_pool2d(F.relu(self.conv2(first)), 2)))
        x = torch.flatten(F.max_pool2d(F.relu(self.conv4(second)), 2), 1)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        return [self.branch_layer1(first), self.branch_layer2(second), self.fc3(x)]


NETWORKS = {"rdi-smallcnn": RdiSmallCnn, "rdi-resnet38": RdiResNet38}


def read_safetensors(path):
    """The float32 and int32 tensors of a safetensors file, by name."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (length,) = struct.unpack("<Q", data[:8])
    types = {"F32": torch.float32, "I32": torch.int32}
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=types[entry["dtype"]], count=(end - begin) // 4, offset=8 + length + begin)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def load(network, tensors):
    """Gives a network the weights, all of them and no others."""
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**tensors, **counters})
    return network.to(memory_format=torch.channels_last)


def average_pgd(network, start, x, y, steps, eps, step):
    """Steps of the average form of PGD from `start`, in the ball of `eps` around the images `x`."""
    adversarial = start
    for _ in range(steps):
        adversarial = adversarial.detach().requires_grad_(True)
        losses = [F.cross_entropy(logits, y, reduction="sum") for logits in network(adversarial)]
        (gradient,) = torch.autograd.grad(sum(losses) / len(losses), adversarial)
        moved = adversarial.detach() + step * gradient.sign()
        adversarial = torch.min(torch.max(moved, x - eps), x + eps).clamp(0, 1)
    return adversarial
