"""The networks in PyTorch, with the names of parameters that this package's weights have, and the attacks on them."""

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


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        inner = expansion * inputs
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.shortcut = nn.Sequential()
        if stride == 1 and inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return y + self.shortcut(x) if self.stride == 1 else y


MOBILENET_STAGES = [
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
]


def pooled(size, channels, *before):
    """A head; what comes before it and the places in the authors' numbering are kept."""
    return nn.Sequential(*before, nn.AvgPool2d(size), nn.Flatten(), nn.Linear(channels, 10))


class RdiMobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Conv2d(3, 32, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        inputs, number = 32, 2
        for expansion, channels, count, first in MOBILENET_STAGES:
            for i in range(count):
                block = InvertedResidual(inputs, channels, expansion, first if i == 0 else 1)
                self.add_module(f"layer{number}", block)
                inputs, number = channels, number + 1
        self.layer19 = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.linear = nn.Linear(1280, 10)
        self.branch_layer1 = nn.Sequential(
            InvertedResidual(16, 32, 6, 2), nn.BatchNorm2d(32), nn.ReLU(), InvertedResidual(32, 64, 6, 2),
            nn.BatchNorm2d(64), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10),
        )
        self.branch_layer2 = pooled(8, 32, InvertedResidual(32, 32, 6, 2))
        self.branch_layer3 = pooled(8, 64)
        self.branch_layer4 = pooled(8, 64)
        self.branch_layer5 = pooled(8, 96)
        self.branch_layer6 = pooled(4, 160)

    def forward(self, x):
        logits = []
        x = F.relu(self.bn1(self.layer1(x)))
        for number in range(2, 19):
            x = getattr(self, f"layer{number}")(x)
            if number in (2, 5, 8, 10, 13, 16):
                logits.append(getattr(self, f"branch_layer{len(logits) + 1}")(x))
        x = F.relu(self.bn2(self.layer19(x)))
        return logits + [self.linear(torch.flatten(F.avg_pool2d(x, 4), 1))]


NETWORKS = {"rdi-smallcnn": RdiSmallCnn, "rdi-resnet38": RdiResNet38, "rdi-mobilenetv2": RdiMobileNetV2}


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


def pgd(network, start, x, y, steps, eps, step, exits=None):
    """
    Steps of PGD from `start`, in the ball of `eps` around the images `x`, up the mean of the losses of these exits (numbered from 1, all by default). As the
    authors do it: the whole network runs, whichever exits the loss is of.
    """
    adversarial = start
    for _ in range(steps):
        adversarial = adversarial.detach().requires_grad_(True)
        logits = network(adversarial)
        losses = [F.cross_entropy(logits[exit - 1], y, reduction="sum") for exit in exits or range(1, len(logits) + 1)]
        (gradient,) = torch.autograd.grad(sum(losses) / len(losses), adversarial)
        moved = adversarial.detach() + step * gradient.sign()
        adversarial = torch.min(torch.max(moved, x - eps), x + eps).clamp(0, 1)
    return adversarial


def max_average_pgd(network, x, y, steps, eps, step):
    """The authors' max-average form: an attack on each exit, and of each image the one whose losses of all exits have the largest sum."""
    best, worst = None, None
    with torch.no_grad():
        exits = len(network(x[:1]))
    for exit in range(1, exits + 1):
        moved = pgd(network, x, x, y, steps, eps, step, [exit])
        with torch.no_grad():
            score = sum(F.cross_entropy(logits, y, reduction="none") for logits in network(moved))
        if best is None:
            best, worst = score, moved
            continue
        worst = torch.where((score > best).view(-1, 1, 1, 1), moved, worst)
        best = torch.maximum(score, best)
    return worst
