// What the box sends and takes, as documented for /api/v1 and its WebSocket.
// Everything from outside is optional here where a screen can do without it.

export type Role = 'agent' | 'supervisor' | 'admin' | 'auditor';

export interface User {
  user: string;
  role: Role;
  name: string;
}

export interface Ref {
  id: string;
  name: string;
}

export interface PhoneNumber {
  e164?: string;
  raw?: string;
  name?: string;
  place?: string;
}

export type AgentState = 'ready' | 'notReady' | 'workingAfterCall' | 'loggedOff';

/** An agent's desk; times are RFC 3339. */
export interface Desk {
  id: string;
  name: string;
  state: AgentState;
  reason?: string;
  since?: string | null;
  pending?: AgentState | '' | null;
  phone?: boolean;
  away?: boolean;
  call?: string;
  queues?: string[];
  /** The phone that would ring: in this agent's page, or on the desk. */
  device?: 'browser' | 'sip' | '';
  /** When wrap-up ends by itself. */
  until?: string | null;
}

/** A reason to be not ready; limit is in seconds. */
export interface Reason {
  code: string;
  name: string;
  limit?: number;
}

/** Whether the page may have a microphone, and where it might. */
export interface Security {
  https?: boolean;
  self_signed?: boolean;
  fingerprint?: string;
  ca_url?: string;
  https_url?: string;
  why?: string;
}

export interface QueueStatus {
  id: string;
  name: string;
  waiting: number;
  /** Seconds. */
  longest_wait: number;
  ready: number;
}

/** Devices, tickets and history have known keys, and may have more, which are shown too. */
export type Row = Record<string, unknown>;

export interface Customer {
  id?: string;
  name?: string;
  vip?: boolean;
  numbers?: string[];
  devices?: Row[];
  open_tickets?: Row[];
  history?: Row[];
  [more: string]: unknown;
}

/** One of several customers who have the same number. */
export interface Match {
  id: string;
  name: string;
  vip: boolean;
}

export type Result =
  | 'answered'
  | 'abandoned'
  | 'completed'
  | 'voicemail'
  | 'callback'
  | 'rejected'
  | 'failed';

export interface CallTimes {
  seize?: string | null;
  answer?: string | null;
  queue_in?: string | null;
  offer?: string | null;
  agent_answer?: string | null;
  hangup?: string | null;
  acw_end?: string | null;
}

/** One party's part in a call's record. */
export interface LegRecord {
  id: string;
  kind: string;
  device?: string;
  start?: string | null;
  end?: string | null;
  agent?: string;
  /** Of a supervisor: listen, whisper, barge or takeover. */
  mode?: string;
  /** Where the part stands while it goes on: talking, holding, asking, consulting, alternated, asked, listening. */
  standing?: string;
  standing_since?: string | null;
}

/** What an agent said that a call was about. */
export interface Disposition {
  code: string;
  note?: string;
  kind?: string;
  /** By phone; absent where nobody said. */
  solved?: boolean | null;
  by?: string;
}

/** The record of a call; result is null while it runs. */
export interface CallRecord {
  id: string;
  direction: 'in' | 'out';
  result: Result | null;
  where?: string;
  cause?: string;
  hangup_side?: string;
  from: PhoneNumber;
  to: PhoneNumber;
  did?: string;
  line?: string;
  queue?: Ref | null;
  agent?: Ref | null;
  customer?: Ref | null;
  ivr_path?: string[] | null;
  offers?: { agent: string; start?: string | null; end?: string | null; outcome?: string; why?: string }[] | null;
  legs?: LegRecord[] | null;
  times: CallTimes;
  recording?: {
    id?: string;
    state: 'recording' | 'complete' | 'partial' | 'none';
    /** Both people are on one channel: the talk was at the agent's own telephone. */
    mixed?: boolean;
    seconds?: number;
    missing_seconds?: number;
    why?: string;
    pauses?: { start: string; end?: string | null; reason?: string; by?: string }[] | null;
  } | null;
  disposition?: Disposition | null;
  user_data?: Record<string, unknown> | null;
}

/** A telephone line and the box behind it; why says what is wrong while it is out of service. */
export interface PhoneLine {
  label: string;
  number?: string;
  state: 'inService' | 'outOfService';
  since?: string | null;
  why?: string;
  busy?: boolean;
  box?: { maker?: string; model?: string; version?: string; serial?: string } | null;
}

export interface Snapshot {
  type: 'snapshot';
  seq: number;
  time: string;
  agent: Desk | null;
  calls: CallRecord[] | null;
  queues: QueueStatus[] | null;
}

/** One event of the journal. */
export interface BoxEvent {
  v?: number;
  seq: number;
  durable_seq?: number;
  id?: string;
  time: string;
  type: string;
  call_id?: string;
  connection_id?: string;
  agent_id?: string;
  line?: string;
  queue?: Ref | null;
  calling?: PhoneNumber | null;
  called?: PhoneNumber | null;
  cause?: string;
  user_data?: Record<string, unknown> | null;
}

export interface Reply {
  re: number;
  ok: boolean;
  result?: unknown;
  error?: { code: string; message: string };
}

export type TextStatus =
  | 'scheduled'
  | 'queued'
  | 'submitting'
  | 'submitted'
  | 'delivered'
  | 'failed'
  | 'expired'
  | 'unknown'
  | 'canceled';

export interface Message {
  id: string;
  job?: string;
  to: string;
  raw?: string;
  text?: string;
  status: TextStatus;
  parts?: number;
  ref?: string;
  error?: { code?: number; stat?: string; text?: string } | null;
  maybe_sent?: boolean;
  times?: Record<string, string | null>;
}

export interface Job {
  id: string;
  ref?: string;
  status?: string;
  messages: Message[];
}

/** An incoming text and what it answers. */
export interface Incoming {
  id: string;
  time: string;
  from: string;
  raw?: string;
  to?: string;
  text: string;
  ref?: string;
  job?: string;
  match?: number;
  keyword?: string;
  incomplete?: boolean;
  /** Who sees to it; '' for nobody. */
  claimed_by?: string;
  /** The job that answers it. */
  answer?: string;
}

export interface List<T> {
  items: T[] | null;
  next?: string;
}
