import { scaleLinear } from "d3-scale";
import {
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  type SymbolType,
} from "d3-shape";

/** How a series is told from the others: by colour (a class of the style sheet), by dashes and by the shape of its marks. */
export interface SeriesStyle {
  readonly className: string;
  /** An SVG stroke-dasharray. */
  readonly dash: string;
  readonly symbol: SymbolType;
}

const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];
const SYMBOLS = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolCross, symbolStar];

/**
 * The colours of the series, as [on light, on dark]: the hues of Okabe and Ito, which people with any colour vision tell apart,
 * darkened or lightened until each has a contrast of at least 4.5 : 1 with its background.
 */
export const SERIES_COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#0a66b0", "#6cb6f5"],
  ["#b84605", "#ff9c5e"],
  ["#007d5a", "#46cba2"],
  ["#a2417f", "#e79ccb"],
  ["#806400", "#dfc04a"],
  ["#555555", "#bbbbbb"],
];

/** The style of series `index`; styles repeat after the sixth. */
export function seriesStyle(index: number): SeriesStyle {
  const i = index % SERIES_COLOURS.length;
  return { className: `series-${i}`, dash: DASHES[i]!, symbol: SYMBOLS[i]! };
}

/** Early to late exits: from bright to deep, so that their order shows without hue, each clear of both backgrounds. */
const EXIT_STOPS = ["#efc75e", "#4fa893", "#3b6ea8"];

export interface ExitColour {
  readonly fill: string;
  /** The colour of text on it. */
  readonly ink: string;
}

/** The colour of exit `exit` (from 1) of `exits`. */
export function exitColour(exit: number, exits: number): ExitColour {
  const position = exits > 1 ? (exit - 1) / (exits - 1) : 1;
  const fill = scaleLinear<string>().domain([0, 0.5, 1]).range(EXIT_STOPS)(position);
  return { fill, ink: position > 0.88 ? "#fff" : "#000" };
}
