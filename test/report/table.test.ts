import { describe, expect, it } from "vitest";
import { markdownTable, resultTable, type ResultRow } from "../../src/report/index.js";

const clean: ResultRow = {
  model: "smallcnn",
  attack: "none",
  form: "clean",
  accuracy: 0.97949,
  macs: { paper: 8.8186, full: 9.2512 },
  saved: { paper: 0, full: -0.00001 },
};
const attacked: ResultRow = {
  model: "rdi-smallcnn",
  attack: "pgd",
  form: "single:2",
  accuracy: 1,
  macs: { paper: 0.81834, full: 123.45 },
  saved: { paper: 0.5, full: -0.0525 },
};

describe("resultTable", () => {
  it("gives a cell for each column: percents with one decimal, costs with three digits, both ledgers", () => {
    const { columns, rows } = resultTable([clean, attacked]);
    expect(columns.map(({ title }) => title)).toEqual([
      "Model",
      "Attack",
      "Form",
      "Accuracy",
      "Cost, full (10⁶ MACs)",
      "Saved, full",
      "Cost, paper (2²⁰ MACs)",
      "Saved, paper",
    ]);
    expect(rows).toEqual([
      ["smallcnn", "none (clean)", "–", "97.9%", "9.25", "0.0%", "8.82", "0.0%"],
      ["rdi-smallcnn", "PGD", "single(2)", "100.0%", "123", "−5.3%", "0.818", "50.0%"],
    ]);
  });
});

describe("markdownTable", () => {
  it("pads the columns and aligns numbers to the right", () => {
    const table = {
      columns: [
        { title: "Model", align: "left" },
        { title: "Accuracy", align: "right" },
      ],
      rows: [["rdi-smallcnn", "98.1%"]],
    } as const;
    expect(markdownTable(table)).toBe(
      ["| Model        | Accuracy |", "| ------------ | -------: |", "| rdi-smallcnn |    98.1% |", ""].join("\n"),
    );
  });

  it("keeps a hostile cell within its column and its line", () => {
    const text = markdownTable({ columns: [{ title: "a|b", align: "left" }], rows: [["x | y\n| z \\"]] });
    expect(text.split("\n")).toEqual(["| a\\|b           |", "| -------------- |", "| x \\| y \\| z \\\\ |", ""]);
  });
});
