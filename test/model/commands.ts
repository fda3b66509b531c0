// The commands that histories of the model are made of, for fast-check to choose and to leave out. Whom a
// command is about is chosen when it is executed, among those it fits; `toString` then tells what it was.
import fc from "fast-check";
import { checked } from "./comparison.ts";
import type { Ledger } from "./ledger.ts";
import { type Choice, planners, planOf } from "./plans.ts";
import type { World } from "./world.ts";

/** How often each comes. */
const weights: { readonly [name: string]: number } = {
  create: 3,
  call: 8,
  report: 8,
  "pass time": 3,
  "report late": 2,
};

export const commands = (maxCommands: number): fc.Arbitrary<Iterable<fc.AsyncCommand<Ledger, World>>> =>
  fc.commands(
    Object.keys(planners).flatMap((name) =>
      Array.from({ length: weights[name] ?? 1 }, () =>
        fc.tuple(choice, turns).map(([given, after]) => new Command(name, given, after)),
      ),
    ),
    { maxCommands, size: "max" },
  );

class Command implements fc.AsyncCommand<Ledger, World> {
  readonly #name: string;
  readonly #choice: Choice;
  /** How many turns pass before the next command; null: until everything is at rest. */
  readonly #turns: number | null;
  #text = "";

  constructor(name: string, choice: Choice, turns: number | null) {
    this.#name = name;
    this.#choice = choice;
    this.#turns = turns;
  }

  check(): boolean {
    return true;
  }

  async run(ledger: Ledger, world: World): Promise<void> {
    const plan = planOf(this.#name, world, this.#choice);
    const after = this.#turns === null ? "" : `, and ${this.#turns} turns later`;
    const text = `${plan?.text ?? `(nobody to ${this.#name})`}${after}`;
    ledger.tell(text);
    world.onFailure.push(() => {
      this.#text = text;
    });
    await plan?.act(world);
    if (this.#turns !== null) return world.turns(this.#turns);
    await checked(world);
  }

  toString(): string {
    return this.#text || this.#name;
  }
}

const small = fc.nat(7);
const choice: fc.Arbitrary<Choice> = fc.record({ a: fc.nat(11), b: small, c: fc.nat(9), d: small });
const turns = fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: fc.nat(6) });
