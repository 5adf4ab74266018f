import { max } from "d3-array";
import { encodePng } from "../data/images.js";
import type { ImageShape } from "../data/pixels.js";
import type { GalleryImage, GallerySample } from "./data.js";
import { formName, significant } from "./format.js";
import { html, type Markup } from "./html.js";

/** The form of the image that the others are perturbations of. */
const CLEAN = "clean";

/** Images before and after each attack form, with what the network made of them. */
export function gallerySection(shape: ImageShape, samples: readonly GallerySample[]): Markup {
  const forms = [...new Set(samples.flatMap(({ images }) => images.map(({ form }) => form)))];
  const largest = max(samples, (sample) => max(perturbations(sample), largestChange)) ?? 0;
  const gain = largest > 0 ? 0.5 / largest : 0;
  return html`<section>
    <h2>Images before and after</h2>
    <figure>
      <div class="scroll" tabindex="0" role="region" aria-label="Gallery of images">
        <table class="gallery">
          <thead>
            <tr>
              <th scope="col">Class</th>
              ${forms.map((form) => html`<th scope="col">${formName(form)}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${samples.map((sample) => sampleRow(sample, forms, shape, gain))}
          </tbody>
        </table>
      </div>
      <figcaption>
        Each row is one image: clean, then after each attack
        form.${
          gain > 0
            ? ` Beside an attacked image stands what the attack added, magnified ${significant(gain)} times: grey is no change, white brighter, black darker${shape[0] === 3 ? ", channel by channel" : ""}.`
            : ""
        }
        Under it: the predicted class, ✓ right or <strong class="loss">✗ wrong</strong> (framed), the exit that the
        image left at, and the entropy of the prediction there, in nats.
      </figcaption>
    </figure>
  </section>`;
}

function sampleRow(sample: GallerySample, forms: readonly string[], shape: ImageShape, gain: number): Markup {
  const clean = cleanOf(sample);
  return html`<tr>
    <th scope="row">${sample.label}</th>
    ${forms.map((form) => {
      const image = sample.images.find((candidate) => candidate.form === form);
      if (image === undefined) return html`<td>–</td>`;
      const change = clean && image !== clean ? perturbation(image, clean) : null;
      return html`<td>${cell(sample, image, change, shape, gain)}</td>`;
    })}
  </tr>`;
}

function cell(
  sample: GallerySample,
  image: GalleryImage,
  change: Float32Array | null,
  shape: ImageShape,
  gain: number,
): Markup {
  const right = String(image.predicted) === String(sample.label);
  const what = image.form === CLEAN ? "clean" : `after the ${formName(image.form)} attack`;
  return html`<div class="pair">
      ${picture(image.pixels, shape, `Class ${sample.label}, ${what}`, right ? "right" : "wrong")}
      ${
        change === null
          ? null
          : picture(
              change.map((value) => 0.5 + gain * value),
              shape,
              `What the ${formName(image.form)} attack added, magnified`,
              "change",
            )
      }
    </div>
    <p>
      ${
        right
          ? html`<span class="win">✓</span> ${image.predicted}<span class="hidden"> (right)</span>`
          : html`<strong class="loss">✗ ${image.predicted}</strong><span class="hidden"> (wrong)</span>`
      }
      <span class="quiet">exit ${image.exit} · ${image.entropy.toFixed(2)} nats</span>
    </p>`;
}

function picture(pixels: Float32Array, shape: ImageShape, alt: string, className: string): Markup {
  const [, height, width] = shape;
  const data = Buffer.from(encodePng(pixels, shape)).toString("base64");
  return html`<img
    class="${className}"
    src="data:image/png;base64,${data}"
    width="${width}"
    height="${height}"
    alt="${alt}"
  />`;
}

function cleanOf({ images }: GallerySample): GalleryImage | undefined {
  return images.find(({ form }) => form === CLEAN);
}

function perturbations(sample: GallerySample): Float32Array[] {
  const clean = cleanOf(sample);
  return clean ? sample.images.map((image) => perturbation(image, clean)) : [];
}

function perturbation(image: GalleryImage, clean: GalleryImage): Float32Array {
  return image.pixels.map((value, i) => value - clean.pixels[i]!);
}

function largestChange(change: Float32Array): number {
  return change.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
