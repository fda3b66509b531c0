// A neural network with one hidden layer, small enough to read: 784 pixels in, a probability for each
// of the ten digits out, trained by stochastic gradient descent.

/** 28 × 28 pixels from 0 to 1, row by row. */
export const pixels = 28 * 28;
const classes = 10;

export type Image = { readonly pixels: Float64Array; readonly digit: number };

/** Weights of layer one, unit after unit, each followed by its bias; then those of layer two. Plain JSON. */
export type Network = { readonly hidden: number; readonly weights: readonly [number[], number[]] };

export function newNetwork(hidden: number, random: () => number): Network {
  const layer = (inputs: number, units: number): number[] =>
    Array.from({ length: (inputs + 1) * units }, () => (random() - 0.5) * Math.sqrt(8 / inputs));
  return { hidden, weights: [layer(pixels, hidden), layer(hidden, classes)] };
}

/** Goes once through all images in random order. Changes the network; returns the mean loss. */
export function trainEpoch(network: Network, images: readonly Image[], rate: number, random: () => number): number {
  const order = images.map((image) => ({ image, lot: random() })).sort((a, b) => a.lot - b.lot);
  let loss = 0;
  for (const { image } of order) loss += trainOne(network, image, rate);
  return loss / images.length;
}

export function recognise(network: Network, image: Image): number {
  const { output } = forward(network, image);
  return output.indexOf(Math.max(...output));
}

export const accuracy = (network: Network, images: readonly Image[]): number =>
  images.filter((image) => recognise(network, image) === image.digit).length / images.length;

function forward({ hidden, weights }: Network, image: Image) {
  const middle = layer(weights[0], image.pixels, hidden).map((sum) => Math.max(0, sum));
  const scores = layer(weights[1], middle, classes);
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return { middle, output: powers.map((power) => power / total) };
}

function layer(weights: readonly number[], inputs: Float64Array, units: number): Float64Array {
  const width = inputs.length + 1;
  const sums = new Float64Array(units);
  for (let unit = 0; unit < units; unit++) {
    let sum = weights[unit * width + inputs.length] as number;
    for (let i = 0; i < inputs.length; i++) sum += (weights[unit * width + i] as number) * (inputs[i] as number);
    sums[unit] = sum;
  }
  return sums;
}

/** One step against the gradient of the cross-entropy loss, which is returned. */
function trainOne(network: Network, image: Image, rate: number): number {
  const { middle, output } = forward(network, image);
  const errors = output.map((probability, digit) => probability - (digit === image.digit ? 1 : 0));
  const back = new Float64Array(network.hidden);
  for (let unit = 0; unit < network.hidden; unit++) {
    if (middle[unit] === 0) continue;
    for (let digit = 0; digit < classes; digit++) {
      const weight = network.weights[1][digit * (network.hidden + 1) + unit] as number;
      back[unit] = (back[unit] as number) + weight * (errors[digit] as number);
    }
  }
  descend(network.weights[1], middle, errors, rate);
  descend(network.weights[0], image.pixels, back, rate);
  return -Math.log(Math.max(output[image.digit] as number, 1e-12));
}

function descend(weights: number[], inputs: Float64Array, errors: Float64Array, rate: number): void {
  const width = inputs.length + 1;
  for (const [unit, error] of errors.entries()) {
    if (error === 0) continue;
    for (let i = 0; i < inputs.length; i++) {
      if (inputs[i] !== 0)
        weights[unit * width + i] = (weights[unit * width + i] as number) - rate * error * (inputs[i] as number);
    }
    weights[unit * width + inputs.length] = (weights[unit * width + inputs.length] as number) - rate * error;
  }
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
