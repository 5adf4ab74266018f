import { describe, expect, it } from "vitest";
import { average, pgd } from "../../src/attacks/index.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { calibrateFor, evaluate } from "../../src/inference/index.js";
import { adjustByHand } from "../../src/inference/hand-adjustment.js";
import { costOfExits, initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

describe("calibration for an objective", () => {
  const whole = costOfExits(tinyModel).at(-1)!.full;
  const objective = { maximize: "accuracy", maxMacs: whole } as const;
  const attackOn = (exits: readonly number[]) => average(pgd({ eps: 0.2, step: 0.1, steps: 2 }), { exits });

  it("reports what the policy does to clean images, and to images attacked at the exits that it uses", async () => {
    using backend = new ReferenceBackend("float64");
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
    const dataset = tinyDataset(16);
    const seen: string[] = [];
    const found = await calibrateFor(net, dataset, objective, {
      attacked: { attack: attackOn, share: 0.5, limit: 8 },
      onProgress: (_done, _total, attack) => void seen.push(attack?.toString() ?? "clean"),
    });
    const { policy, clean, attacked, attack } = found;
    expect(attack!.exits).toEqual(policy.exits);
    const again = await evaluate(net, dataset, { policy });
    expect(clean.accuracy).toBe(again.adaptive.accuracy);
    expect(clean.macs.full).toBeCloseTo(again.adaptive.macs.full, 9);
    expect(clean.macs.full).toBeLessThanOrEqual(whole);
    const attackedAgain = await evaluate(net, tinyDataset(8), { policy, attack: attackOn(policy.exits) });
    expect(attacked!.accuracy).toBe(attackedAgain.adaptive.accuracy);
    expect(found.frontier.map((point) => point.policy)).toContainEqual(policy);
    expect(seen[0]).toBe("clean");
    expect(seen[1]).toContain("exits 1, 2, 3");
  });

  it("needs no attack, and refuses an impossible share", async () => {
    using backend = new ReferenceBackend("float64");
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
    const found = await calibrateFor(net, tinyDataset(8), objective);
    expect(found.attacked).toBeUndefined();
    const attacked = { attack: attackOn, share: 1.5 };
    await expect(calibrateFor(net, tinyDataset(8), objective, { attacked })).rejects.toThrow("[0, 1] for share");
    await expect(calibrateFor(net, tinyDataset(0), objective)).rejects.toThrow("at least one image");
  });
});

describe("the authors' adjustment", () => {
  it("lowers the thresholds of rdi-resnet38 to theirs, and no others", () => {
    const exits = [1, 2, 3, 4, 5, 6, 7];
    const thresholds = [0.474757, 0.648591, 0.67416, 0.881178, 1.136144, 1.344188];
    const adjusted = adjustByHand("rdi-resnet38", { exits, thresholds });
    [0.324757, 0.448591, 0.42416, 0.831178, 1.086144, 1.344188].forEach((value, i) =>
      expect(adjusted.thresholds[i]).toBeCloseTo(value, 9),
    );
    expect(adjustByHand("rdi-smallcnn", { exits, thresholds })).toEqual({ exits, thresholds });
  });
});
