import type { MethodName } from "../attacks/index.js";

/** A table of "Triple Wins" (Hu et al., ICLR 2020): which networks, with which defence, meet which attacks on which data. */
export interface PaperTable {
  readonly name: string;
  readonly title: string;
  /** The name of a data set; its test split is attacked. */
  readonly dataset: string;
  readonly networks: readonly TableNetwork[];
  readonly attack: {
    readonly method: MethodName;
    /** What networks with several exits meet; with one exit, all forms are `main`. */
    readonly forms: readonly string[];
  };
  /** The preset that trains its networks, but for model and defence. */
  readonly preset: string;
}

export interface TableNetwork {
  readonly model: string;
  /** `standard` is trained on clean images alone; else the form of the attack that it was trained on. */
  readonly defence: string;
}

/** How a network is named in options and files: `rdi-resnet38/max-average`. */
export function networkId({ model, defence }: TableNetwork): string {
  return `${model}/${defence}`;
}

const FORMS = ["main", "average", "max-average"];

interface Family {
  readonly name: string;
  readonly title: string;
  readonly dataset: string;
  readonly backbone: string;
  readonly dynamic: string;
  readonly preset: string;
}

const FAMILIES: readonly Family[] = [
  {
    name: "digits-smallcnn",
    title: "SmallCNN on the embedded digits",
    dataset: "digits",
    backbone: "smallcnn",
    dynamic: "rdi-smallcnn",
    preset: "digits-smallcnn",
  },
  {
    name: "mnist-smallcnn",
    title: "SmallCNN on MNIST",
    dataset: "mnist",
    backbone: "smallcnn",
    dynamic: "rdi-smallcnn",
    preset: "paper-mnist-smallcnn",
  },
  {
    name: "cifar10-resnet38",
    title: "ResNet38 on CIFAR-10",
    dataset: "cifar10",
    backbone: "resnet38",
    dynamic: "rdi-resnet38",
    preset: "paper-cifar10-resnet38",
  },
  {
    name: "cifar10-mobilenetv2",
    title: "MobileNetV2 on CIFAR-10",
    dataset: "cifar10",
    backbone: "mobilenetv2",
    dynamic: "rdi-mobilenetv2",
    preset: "paper-cifar10-mobilenetv2",
  },
];

/** The plain and the dynamic network, undefended and defended; the plain one has a single form to be defended against. */
function familyTable({ name, backbone, dynamic, ...family }: Family, method: MethodName): PaperTable {
  return {
    ...family,
    name: method === "pgd" ? name : `${name}-${method}`,
    title: `${family.title} under ${method.toUpperCase()}`,
    networks: [
      ...["standard", "main"].map((defence) => ({ model: backbone, defence })),
      ...["standard", ...FORMS].map((defence) => ({ model: dynamic, defence })),
    ],
    attack: { method, forms: FORMS },
  };
}

/** The one network that the authors published, under every form and the single attack on its first exit. */
const AUTHORS: PaperTable = {
  name: "cifar10-resnet38-authors",
  title: "The authors’ RDI-ResNet38 on CIFAR-10 under PGD",
  dataset: "cifar10",
  networks: [{ model: "rdi-resnet38", defence: "max-average" }],
  attack: { method: "pgd", forms: ["average", "max-average", "main", "single:1"] },
  preset: "paper-cifar10-resnet38",
};

const METHODS: readonly MethodName[] = ["pgd", "fgsm", "wrm"];

/** Every table by its name. */
export const tables: ReadonlyMap<string, PaperTable> = new Map(
  [...FAMILIES.flatMap((family) => METHODS.map((method) => familyTable(family, method))), AUTHORS].map((table) => [
    table.name,
    table,
  ]),
);
