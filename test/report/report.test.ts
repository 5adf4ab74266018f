import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/images.js";
import type { ImageShape } from "../../src/data/pixels.js";
import { renderReport, type ReportData, type TrainingPoint } from "../../src/report/index.js";
import { ArgumentError } from "../../src/util/errors.js";
import { findAll, parsePage, textOf, type PageElement } from "./parse-page.js";
import { sampleReport } from "./sample-report.js";

const HEADINGS = ["Results", "Accuracy against cost", "Where images leave", "Images before and after", "Training"];

function headings(page: PageElement): string[] {
  return findAll(page, "h2").map(textOf);
}

function section(page: PageElement, heading: string): PageElement {
  return findAll(page, "section").find((candidate) => headings(candidate)[0] === heading)!;
}

/** The pixels of an inline PNG, as the encoder was given them, to 8 bits. */
function pixels(image: PageElement, shape: ImageShape = [1, 28, 28]): Float32Array {
  const [, data = ""] = /^data:image\/png;base64,(.*)$/.exec(image.attributes.get("src")!)!;
  return decodeImage(Buffer.from(data, "base64"), "gallery", shape);
}

describe("renderReport", () => {
  const text = renderReport(sampleReport());
  const page = parsePage(text);

  it("is well-formed, has every section, and is the same every time", () => {
    expect(headings(page)).toEqual(HEADINGS);
    expect(renderReport(sampleReport())).toBe(text);
  });

  it("refers to nothing outside itself and runs nothing", () => {
    expect(text).not.toMatch(/https?:|url\(|@import|<script|\son\w+=|<(object|embed|iframe)/i);
    for (const name of ["src", "href"]) {
      const values = [...text.matchAll(new RegExp(`\\s${name}="([^"]*)"`, "g"))].map(([, value]) => value!);
      expect(values.filter((value) => !value.startsWith("data:"))).toEqual([]);
    }
    const policy = findAll(page, "meta").find((meta) => meta.attributes.has("http-equiv"));
    expect(policy?.attributes.get("content")).toContain("default-src 'none'");
  });

  it("states the settings, the results and the wins", () => {
    const header = textOf(findAll(page, "header")[0]!);
    for (const fact of ["rdi-smallcnn", "digits", "Threads 2", "ε 0.3", "2025-01-31 12:00 UTC"])
      expect(header).toContain(fact);
    const results = section(page, "Results");
    const [model, ...cells] = findAll(results, "tr")[4]!.children.map(textOf);
    expect(model).toBe("rdi-smallcnn");
    expect(cells).toEqual(["PGD", "main", "93.1%", "5.81", "39.0%", "4.87", "44.7%"]);
    const tiles = findAll(results, "div").filter((div) => div.attributes.get("class") === "tile");
    expect(tiles.map((tile) => tile.children.map(textOf))).toEqual([
      ["Accuracy", "98.1% on clean images", "✓ 0.2 points above the single-exit network’s 97.9%"],
      [
        "Robustness",
        "88.8% under the worst attack, PGD max-average",
        "✓ 1.7 points above the single-exit network’s 87.1% under PGD main",
      ],
      [
        "Efficiency",
        "44.0% of the MACs saved on clean images",
        "✓ 5.33 instead of 9.52 million MACs an image, all that ran counted",
        "Under attack at least 28.0% saved",
      ],
    ]);
  });

  it("says so when a win is a loss", () => {
    const data = sampleReport();
    const rows = data.rows!.map((row) =>
      row.model === "rdi-smallcnn" ? { ...row, accuracy: row.accuracy - 0.1, saved: { paper: -0.1, full: -0.1 } } : row,
    );
    const tiles = textOf(section(parsePage(renderReport({ ...data, rows })), "Results"));
    expect(tiles).toContain("✗ 9.8 points below the single-exit network’s 97.9%");
    expect(tiles).toContain("✗ 8.3 points below the single-exit network’s 87.1%");
    expect(tiles).toContain("−10.0% of the MACs saved on clean images ✗");
  });

  it("draws a curve for each series in both ledgers, with its marks, inside the view box", () => {
    const charts = findAll(section(page, "Accuracy against cost"), "svg").filter(
      (svg) => svg.attributes.get("role") === "img",
    );
    expect(charts).toHaveLength(2);
    for (const chart of charts) {
      const paths = findAll(chart, "path").map(
        (path) => [path.attributes.get("class") ?? "", path.attributes.get("d")!] as const,
      );
      const lines = paths.filter(([name]) => name.startsWith("line "));
      expect(lines.map(([, d]) => d.split("L").length)).toEqual([24, 24, 24]);
      expect(paths.filter(([name]) => name.startsWith("mark filled"))).toHaveLength(3);
      expect(paths.filter(([name]) => name.startsWith("mark hollow"))).toHaveLength(3);
      for (const [, d] of lines) {
        for (const point of d.slice(1).split("L")) {
          const [x = NaN, y = NaN] = point.split(",").map(Number);
          expect(x >= 50 && x <= 466 && y >= 46 && y <= 284).toBe(true);
        }
      }
    }
    expect(textOf(charts[0]!)).toContain("clean, operating point: 98.1% at 5.33 10⁶ MACs");
  });

  it("cuts the bars by the shares of the exits", () => {
    const shares = section(page, "Where images leave");
    const bars = findAll(shares, "svg").filter((svg) => svg.attributes.get("class") === "bar");
    expect(bars).toHaveLength(4);
    const cut = findAll(bars[0]!, "rect").map((rect) => [rect.attributes.get("x"), rect.attributes.get("width")]);
    expect(cut).toEqual([
      ["0.000%", "62.000%"],
      ["62.000%", "28.300%"],
      ["90.300%", "9.700%"],
    ]);
    expect(textOf(findAll(bars[3]!, "title")[0]!)).toBe("PGD-40, max-average: exit 1 5.0%, exit 2 41.0%, exit 3 54.0%");
    expect(textOf(findAll(shares, "table")[0]!)).toContain("62.0% 95.1% right");
  });

  it("shows the images pixel for pixel, what each attack added, and marks wrong predictions in words", () => {
    const gallery = section(page, "Images before and after");
    const { samples } = sampleReport().gallery!;
    const rows = findAll(gallery, "tr").slice(1);
    expect(rows).toHaveLength(samples.length);
    samples.forEach((sample, i) => {
      const cells = findAll(rows[i]!, "td");
      sample.images.forEach((image, j) => {
        const [shown, change] = findAll(cells[j]!, "img");
        const wrong = image.predicted !== sample.label;
        expect(textOf(cells[j]!)).toContain(wrong ? `✗ ${image.predicted} (wrong)` : `✓ ${image.predicted} (right)`);
        expect(textOf(cells[j]!)).toContain(`exit ${image.exit} · ${image.entropy.toFixed(2)} nats`);
        expect(pixels(shown!).every((value, at) => Math.abs(value - image.pixels[at]!) < 1 / 400)).toBe(true);
        expect(change === undefined).toBe(image.form === "clean");
        if (change === undefined) return;
        // The largest change is 0.3, so it is magnified until 0.3 is white.
        const clean = sample.images[0]!.pixels;
        const magnified = image.pixels.map((value, at) => 0.5 + (0.5 / 0.3) * (value - clean[at]!));
        expect(pixels(change).every((value, at) => Math.abs(value - magnified[at]!) < 1 / 400)).toBe(true);
      });
    });
    expect(textOf(gallery)).toContain("magnified 1.67 times");
    for (const image of findAll(page, "img")) expect(image.attributes.get("alt")).toMatch(/\w/);
  });

  it("shows images in colour, with the names of their classes", () => {
    const clean = Float32Array.of(1, 0.2, 0, 0.4, 0, 1);
    const attacked = clean.map((value, i) => (i === 1 ? value + 0.2 : value));
    const image = { exit: 1, predicted: "cat", entropy: 0.5 };
    const images = [
      { form: "clean", pixels: clean, ...image },
      { form: "main", pixels: attacked, ...image },
    ];
    const gallery = { shape: [3, 1, 2] as const, samples: [{ label: "cat", images }] };
    const page = parsePage(renderReport({ title: "Colours", gallery }));
    const shown = findAll(page, "img").map((picture) => pixels(picture, [3, 1, 2]));
    const change = Float32Array.of(0.5, 1, 0.5, 0.5, 0.5, 0.5);
    for (const [i, wanted] of [clean, attacked, change].entries())
      wanted.forEach((value, at) => expect(Math.abs(shown[i]![at]! - value)).toBeLessThan(1 / 400));
    expect(textOf(page)).toContain("✓ cat (right)");
    expect(textOf(page)).toContain("channel by channel");
  });

  it("names every chart and every table header for those who cannot see them", () => {
    const charts = findAll(page, "svg").filter((svg) => svg.attributes.get("role") === "img");
    expect(charts.length).toBeGreaterThan(6);
    for (const chart of charts) expect(chart.children[0]?.name).toBe("title");
    const silent = findAll(page, "svg").filter((svg) => svg.attributes.get("role") !== "img");
    for (const svg of silent) expect(svg.attributes.get("aria-hidden")).toBe("true");
    for (const header of findAll(page, "th")) expect(header.attributes.get("scope")).toMatch(/^(row|col)$/);
    for (const figure of findAll(page, "figure")) expect(findAll(figure, "figcaption")).toHaveLength(1);
  });

  it.each<[string, Partial<ReportData>, string[]]>([
    ["nothing", {}, []],
    [
      "empty parts",
      { rows: [], curves: [], exitShares: [], training: [], gallery: { shape: [1, 2, 2], samples: [] }, settings: {} },
      [],
    ],
    [
      "parts with nothing in them",
      {
        curves: [{ name: "clean", points: [] }],
        exitShares: [{ name: "clean", shares: [] }],
        training: [{ name: "net", log: [] }],
        gallery: { shape: [1, 2, 2], samples: [{ label: 1, images: [] }] },
      },
      [],
    ],
    ["rows alone", { rows: sampleReport().rows! }, ["Results"]],
    ["training alone", { training: sampleReport().training! }, ["Training"]],
    ["shares alone", { exitShares: sampleReport().exitShares! }, ["Where images leave"]],
  ])("with %s it has no other section", (_, parts, expected) => {
    const some = parsePage(renderReport({ title: "Report", ...parts }));
    expect(headings(some)).toEqual(expected);
    expect(findAll(some, "section")).toHaveLength(expected.length);
    expect(findAll(some, "dl")).toHaveLength(0);
    expect(textOf(findAll(some, "h1")[0]!)).toBe("Report");
  });

  it("keeps hostile text where it belongs", () => {
    const hostile = `"><script>alert('1')</script>&amp; <img src=x onerror=alert(1)>\0`;
    const shown = hostile.replace("\0", "\ufffd");
    const sample = sampleReport();
    const data: ReportData = {
      title: hostile,
      generated: hostile,
      model: hostile,
      dataset: hostile,
      settings: { [hostile]: hostile },
      rows: sample.rows!.map((row) => ({ ...row, model: hostile + row.model, attack: row.attack, form: hostile })),
      comparison: { dynamic: `${hostile}rdi-smallcnn`, baseline: `${hostile}smallcnn` },
      curves: sample.curves!.map((curve) => ({ ...curve, name: hostile })),
      exitShares: sample.exitShares!.map((row) => ({ ...row, name: hostile })),
      training: sample.training!.map((log) => ({ ...log, name: hostile })),
      gallery: {
        ...sample.gallery!,
        samples: sample.gallery!.samples.map(({ images }) => ({
          label: hostile,
          images: images.map((image, i) => ({ ...image, form: i === 0 ? "clean" : hostile, predicted: hostile })),
        })),
      },
    };
    const hostilePage = parsePage(renderReport(data));
    expect(findAll(hostilePage, "script")).toHaveLength(0);
    expect(findAll(hostilePage, "img").every((image) => image.attributes.get("src")!.startsWith("data:"))).toBe(true);
    expect(findAll(hostilePage, "h1")[0]!.text).toBe(shown);
    expect(findAll(hostilePage, "title")[0]!.text).toBe(shown);
    for (const heading of HEADINGS) expect(section(hostilePage, heading).text).toContain(shown);
  });

  it("leaves non-finite losses out of the curves", () => {
    const log = [1, 2, 3].map((iteration) => ({ iteration, loss: iteration === 2 ? Number.NaN : 1 / iteration }));
    const training = renderReport({
      title: "Report",
      training: [{ name: "net", log: [...log, { iteration: 4, loss: Infinity }] }],
    });
    expect(training).not.toMatch(/NaN|Infinity/);
    const lines = findAll(parsePage(training), "path").filter((path) =>
      path.attributes.get("class")?.startsWith("line "),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]!.attributes.get("d")!.split("L")).toHaveLength(2);
  });

  it("names the losses that it draws, and no other", () => {
    const log = [1, 2].map((iteration) => ({ iteration, loss: 2 / iteration, lossClean: 1 / iteration }));
    const keys = (point: (entry: (typeof log)[number]) => TrainingPoint) => {
      const training = section(
        parsePage(renderReport({ title: "Report", training: [{ name: "net", log: log.map(point) }] })),
        "Training",
      );
      return [findAll(training, "li").map(textOf), /in nats, ([^)]*)/.exec(textOf(training))?.[1]];
    };
    expect(keys((entry) => ({ ...entry, lossAdversarial: 3 }))).toEqual([
      ["clean images", "adversarial images"],
      "mean over the exits",
    ]);
    expect(keys((entry) => entry)).toEqual([["clean images"], "mean over the exits"]);
    expect(keys(({ iteration, loss }) => ({ iteration, loss }))).toEqual([[], "weighted sum over the exits"]);
  });

  it("marks where the learning rate fell, and averages long logs", () => {
    const training = section(page, "Training");
    expect(textOf(training)).toContain("Each point is the mean of up to 8 logged values.");
    expect(findAll(training, "text").filter((label) => label.text === "÷10")).toHaveLength(4);
  });

  it("refuses to compare a model that is not there, and pixels of another shape", () => {
    const data = sampleReport();
    expect(() => renderReport({ ...data, comparison: { dynamic: "resnet", baseline: "smallcnn" } })).toThrow(
      ArgumentError,
    );
    expect(() => renderReport({ ...data, gallery: { ...data.gallery!, shape: [1, 28, 27] } })).toThrow(ArgumentError);
  });
});
