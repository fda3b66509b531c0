// godwit.v1.AutomationService: what Flyte's protocol has no calls for. Like the protocol's services it is asked over
// Connect, in protobuf or JSON.
//
//   curl localhost:8090/godwit.v1.AutomationService/ListTriggers -H 'content-type: application/json' \
//     -d '{"project": "default", "domain": "development"}'
import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Additions, type FieldType, found, registryOf } from "./protocol-additions.ts";

const packageName = "godwit.v1";

const own = <N extends string>(name: N) => ({ own: "message", name }) as const;

const messages = {
  TriggerName: { project: [1, "string"], domain: [2, "string"], task: [3, "string"], name: [4, "string"] },
  /** `exists`: a backfill finds that the tick has its run already. */
  Tick: { at: [1, TimestampSchema], run: [2, "string"], exists: [3, "bool"] },
  Period: { from: [1, TimestampSchema], until: [2, TimestampSchema] },
  Trigger: {
    name: [1, own("TriggerName")],
    revision: [2, "int32"],
    active: [3, "bool"],
    description: [4, "string"],
    /** For people: `0 3 * * * (Europe/Berlin)`; empty: it has none. */
    schedule: [5, "string"],
    time_input: [6, "string"],
    catch_up: [7, "string"],
    overlap: [8, "string"],
    task_version: [9, "string"],
    next_tick: [10, TimestampSchema],
    last_run: [11, "string"],
    /** The tick that the last run was for; unset: somebody asked for it. */
    last_tick: [12, TimestampSchema],
    /** Ticks that wait for the end of the run before them. */
    waiting: [13, "int32"],
    /** Ticks that overlapped, and started nothing. */
    skipped: [14, "int32"],
    /** Of the ticks that were missed last and not caught up with. */
    passed_over: [15, own("Period")],
    /** Why its last tick could not be started. */
    problem: [16, "string"],
  },
  ListTriggersRequest: {
    project: [1, "string"],
    domain: [2, "string"],
    task: [3, "string"],
    limit: [4, "int32"],
    token: [5, "string"],
  },
  ListTriggersResponse: { triggers: [1, own("Trigger"), "repeated"], token: [2, "string"] },
  PreviewTriggerRequest: { trigger: [1, own("TriggerName")], count: [2, "int32"], after: [3, TimestampSchema] },
  PreviewTriggerResponse: { ticks: [1, own("Tick"), "repeated"] },
  /** The ticks from the first moment on, until before the second. */
  BackfillPlan: {
    trigger: [1, own("TriggerName")],
    from: [2, TimestampSchema],
    before: [3, TimestampSchema],
    /** Runs at once; 0: one after the other. */
    parallelism: [4, "int32"],
    /** Also ticks that have their run already. */
    repeats: [5, "bool"],
  },
  /** `count`: ticks that are listed. */
  PreviewBackfillRequest: { plan: [1, own("BackfillPlan")], count: [2, "int32"] },
  PreviewBackfillResponse: { total: [1, "int32"], first: [2, own("Tick"), "repeated"] },
  Backfill: {
    id: [1, "string"],
    plan: [2, own("BackfillPlan")],
    revision: [3, "int32"],
    /** running, aborting, done or aborted. */
    phase: [4, "string"],
    planned: [5, "int32"],
    started: [6, "int32"],
    /** Ticks that had their run before. */
    existing: [7, "int32"],
    succeeded: [8, "int32"],
    failed: [9, "int32"],
    /** Its runs that have not ended. */
    active: [10, "string", "repeated"],
    created_at: [11, TimestampSchema],
    created_by: [12, "string"],
    ended_at: [13, TimestampSchema],
    problem: [14, "string"],
  },
  /** `id`: the same again is answered with the same backfill. Empty: one is made up. */
  CreateBackfillRequest: { plan: [1, own("BackfillPlan")], id: [2, "string"] },
  BackfillName: { project: [1, "string"], domain: [2, "string"], id: [3, "string"] },
  BackfillResponse: { backfill: [1, own("Backfill")] },
  ListBackfillsRequest: { project: [1, "string"], domain: [2, "string"], limit: [3, "int32"], token: [4, "string"] },
  ListBackfillsResponse: { backfills: [1, own("Backfill"), "repeated"], token: [2, "string"] },
  Header: { name: [1, "string"], value: [2, "string"] },
  NotificationRule: {
    name: [1, "string"],
    /** succeeded, failed, aborted, timed_out. */
    phases: [2, "string", "repeated"],
    url: [3, "string"],
    /** Empty: POST. */
    method: [4, "string"],
    headers: [5, own("Header"), "repeated"],
    /** Empty: Godwit's own JSON. */
    body: [6, "string"],
    /** Only for runs that name it, and not for all of the project. */
    by_name_only: [7, "bool"],
  },
  /** An empty domain: of all domains of the project. */
  SetRulesRequest: { project: [1, "string"], domain: [2, "string"], rules: [3, own("NotificationRule"), "repeated"] },
  ListRulesRequest: { project: [1, "string"], domain: [2, "string"] },
  RulesResponse: { rules: [1, own("NotificationRule"), "repeated"] },
  Notification: {
    id: [1, "string"],
    run: [2, "string"],
    phase: [3, "string"],
    url: [4, "string"],
    /** pending, delivered or failed. */
    state: [5, "string"],
    tries: [6, "int32"],
    problem: [7, "string"],
    created_at: [8, TimestampSchema],
    delivered_at: [9, TimestampSchema],
  },
  /** An empty run: of all. */
  ListNotificationsRequest: {
    project: [1, "string"],
    domain: [2, "string"],
    run: [3, "string"],
    limit: [4, "int32"],
    token: [5, "string"],
  },
  ListNotificationsResponse: { notifications: [1, own("Notification"), "repeated"], token: [2, "string"] },
  RetryNotificationRequest: { project: [1, "string"], domain: [2, "string"], run: [3, "string"], id: [4, "string"] },
  RetryNotificationResponse: { notification: [1, own("Notification")] },
} as const satisfies Additions["messages"];

const calls = {
  ListTriggers: ["ListTriggersRequest", "ListTriggersResponse"],
  PreviewTrigger: ["PreviewTriggerRequest", "PreviewTriggerResponse"],
  PreviewBackfill: ["PreviewBackfillRequest", "PreviewBackfillResponse"],
  CreateBackfill: ["CreateBackfillRequest", "BackfillResponse"],
  GetBackfill: ["BackfillName", "BackfillResponse"],
  ListBackfills: ["ListBackfillsRequest", "ListBackfillsResponse"],
  AbortBackfill: ["BackfillName", "BackfillResponse"],
  SetRules: ["SetRulesRequest", "RulesResponse"],
  ListRules: ["ListRulesRequest", "RulesResponse"],
  ListNotifications: ["ListNotificationsRequest", "ListNotificationsResponse"],
  RetryNotification: ["RetryNotificationRequest", "RetryNotificationResponse"],
} as const satisfies Additions["services"][string];

// The types follow from the tables above.

type Tables = typeof messages;
type Name = keyof Tables;

type Scalars = { string: string; bool: boolean; int32: number; uint32: number; int64: bigint; double: number };

type Value<T> = T extends keyof Scalars
  ? Scalars[T]
  : T extends { readonly own: "message"; readonly name: infer N extends Name }
    ? AutomationMessage<N>
    : T extends DescMessage
      ? MessageShape<T>
      : never;

type Camel<S extends string> = S extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : S;

type FieldValue<F> = F extends readonly [number, infer T extends FieldType, "repeated"]
  ? Value<T>[]
  : F extends readonly [number, infer T extends FieldType]
    ? T extends keyof Scalars
      ? Scalars[T]
      : Value<T> | undefined
    : never;

/** A message by its name in the table. */
export type AutomationMessage<N extends Name> = Message<`${typeof packageName}.${N}`> & {
  [F in keyof Tables[N] as Camel<F & string>]: FieldValue<Tables[N][F]>;
};

/** What such a message is made of. */
export type AutomationInit<N extends Name> = MessageInitShape<GenMessage<AutomationMessage<N>>>;

type Calls = typeof calls;

type Service = GenService<{
  [C in keyof Calls as Uncapitalize<C & string>]: {
    methodKind: "unary";
    input: GenMessage<AutomationMessage<Calls[C][0]>>;
    output: GenMessage<AutomationMessage<Calls[C][1]>>;
  };
}>;

const registry = registryOf({
  package: packageName,
  enums: {},
  messages,
  oneofs: {},
  services: { AutomationService: calls },
  extensions: {},
});

export const AutomationService = found<Service>(
  registry.getService(`${packageName}.AutomationService`),
  "AutomationService",
);
