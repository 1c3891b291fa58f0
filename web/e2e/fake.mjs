// A stand-in for the daemon: log-in, the WebSocket and the lists, as the page
// needs them, driven by a test or by itself (`node e2e/fake.mjs`). It serves
// dist/app as the daemon does, with the same policy.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const app = fileURLToPath(new URL('../dist/app', import.meta.url));
const policy =
  "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const kinds = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

export const users = {
  1001: { password: 'wangfang', role: 'agent', name: '王芳' },
  1002: { password: 'zhaomin', role: 'agent', name: '赵敏' },
  boss: { password: 'boss', role: 'supervisor', name: '陈班长' },
};

export const customer = {
  id: 'k1',
  name: '杭州锦绣物业 · 李雷',
  vip: true,
  numbers: ['+8613800138000', '+8657188880001'],
  devices: [
    { id: 'd1', model: 'KONE MonoSpace 500', serial: '41-2203', place: '3号楼 2单元', warranty_until: '2031-05-01', vendor: '通力' },
    { id: 'd2', model: '三菱 LEHY-III', serial: '88-0457', place: '地下车库', warranty_until: '2021-03-15', vendor: '三菱', floors: 28 },
  ],
  open_tickets: [
    { ref: 'W20260309-017', title: '2单元电梯门反复开合', status: '已派工', url: 'https://tickets.example/W20260309-017' },
    { ref: 'W20260308-102', title: '季度保养', status: '待确认', url: 'https://tickets.example/W20260308-102' },
  ],
  history: [
    { time: '2026-02-11T09:30:00+08:00', kind: '维修', title: '更换门机皮带', ref: 'W20260211-004' },
    { time: '2025-11-20T14:00:00+08:00', kind: '保养', title: '季度保养', ref: 'W20251120-031' },
  ],
};

const talks = Object.fromEntries(
  ['holdCall', 'retrieveCall', 'consultationCall', 'alternateCall', 'conferenceCall', 'reconnectCall', 'transferCall', 'singleStepTransfer', 'generateDigits', 'pauseRecording', 'resumeRecording'].map((cmd) => [cmd, true]),
);

const iso = (at = Date.now()) => new Date(at).toISOString();
const ago = (seconds) => iso(Date.now() - seconds * 1000);

/** Two seconds of a quiet tone as a WAV of A-law, so that the player has something to play. */
function tone() {
  const data = Buffer.alloc(16000, 0xd5);
  for (let i = 0; i < data.length; i++) data[i] = Math.sin(i / 3) > 0 ? 0xb5 : 0x35;
  const head = Buffer.alloc(58);
  head.write('RIFF', 0);
  head.writeUInt32LE(50 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(18, 16);
  head.writeUInt16LE(6, 20); // A-law
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('fact', 38);
  head.writeUInt32LE(4, 42);
  head.writeUInt32LE(data.length, 46);
  head.write('data', 50);
  head.writeUInt32LE(data.length, 54);
  return Buffer.concat([head, data]);
}

export class Fake {
  sessions = new Map();
  sockets = new Set();
  seq = 1000;
  journal = [];
  /** The box's clock minus this machine's, in milliseconds. */
  skew = 0;
  calls = [];
  messages = [];
  inbox = [];
  jobs = new Map();
  /** Commands as they came in, and requests for texts. */
  heard = [];
  orders = [];
  /** Callers in queues, as GET /waiting has them. */
  waiting = [];
  audio = tone();

  constructor() {
    this.desks = Object.fromEntries(
      Object.entries(users)
        .filter(([, u]) => u.role === 'agent')
        .map(([id, u]) => [
          id,
          { id, name: u.name, state: 'loggedOff', reason: '', since: ago(60), pending: '', phone: true, away: false, call: '', queues: ['repair'] },
        ]),
    );
    this.queues = [
      { id: 'repair', name: '报修', waiting: 0, longest_wait: 0, ready: 0 },
      { id: 'sales', name: '购买咨询', waiting: 2, longest_wait: 47, ready: 1 },
    ];
    this.lines = [1, 2, 3].map((n) => ({
      label: `line ${n}`, number: `05718888000${n}`, state: 'inService', since: ago(7200), why: '', busy: false,
      box: { profile: 'callbox', maker: 'callbox', model: 'reference', version: '1.0', serial: `CB00${n}` },
    }));
    this.reasons = [{ code: 'lunch', name: '午餐', limit: 1800 }, { code: 'visit', name: '上门回访' }];
    this.http = createServer((req, res) => void this.#serve(req, res).catch((why) => this.#problem(res, 500, String(why))));
    this.wss = new WebSocketServer({ noServer: true, handleProtocols: (set) => (set.has('callbox.v1') ? 'callbox.v1' : false) });
    this.http.on('upgrade', (req, socket, head) => this.#upgrade(req, socket, head));
  }

  async start(port = 0) {
    await new Promise((done) => this.http.listen(port, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  async stop() {
    for (const s of this.sockets) s.ws.terminate();
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }

  // ---- HTTP

  #user(req) {
    const token = /callbox_session=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
    return this.sessions.get(token);
  }

  #json(res, body, status = 200, headers = {}) {
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    res.end(body === undefined ? '' : JSON.stringify(body));
  }

  #problem(res, status, detail, errors) {
    res.writeHead(status, { 'Content-Type': 'application/problem+json' });
    res.end(JSON.stringify({ status, title: 'refused', detail, errors }));
  }

  async #body(req) {
    let text = '';
    for await (const part of req) text += part;
    return text ? JSON.parse(text) : {};
  }

  async #serve(req, res) {
    const url = new URL(req.url, this.url);
    if (!url.pathname.startsWith('/api/')) return this.#file(url.pathname, res);
    const path = url.pathname.slice('/api/v1'.length);
    if (path === '/login') return this.#login(await this.#body(req), res);
    const user = this.#user(req);
    if (!user) return this.#problem(res, 401, 'log in');
    const list = (items) => this.#json(res, { items });
    const [, first, id, last] = path.split('/');
    switch (`${req.method} /${first}`) {
      case 'GET /me':
        return this.#json(res, { user: user.user, role: user.role, name: user.name });
      case 'POST /logout':
        for (const [token, one] of this.sessions) if (one === user) this.sessions.delete(token);
        return this.#json(res, undefined, 204);
      case 'GET /calls': {
        const seen = this.calls.filter((c) => user.role !== 'agent' || c.agent?.id === user.user);
        if (!id) return list([...seen].reverse());
        const call = seen.find((c) => c.id === id);
        return call ? this.#json(res, call) : this.#problem(res, 404, 'no such call');
      }
      case 'GET /customers':
        return id === 'k1' ? this.#json(res, customer) : this.#problem(res, 404, 'no such customer');
      case 'GET /desk':
        return this.#json(res, { reasons: this.reasons });
      case 'GET /people':
        return list(Object.values(this.desks).map((d) => ({ id: d.id, name: d.name, role: 'agent', state: d.state, reason: d.reason, since: d.since, device: d.phone ? 'sip' : '', on_call: !!d.call, queues: d.queues, extension: d.id })));
      case 'GET /security':
        return this.#json(res, { https: false, self_signed: true, https_url: 'https://callbox.local/', ca_url: '/ca', fingerprint: '', why: '' });
      case 'GET /agents':
        return list(Object.values(this.desks));
      case 'GET /figures':
        return this.#json(res, this.figures());
      case 'GET /wallboard':
        return this.#json(res, { ...this.figures(), desks: Object.values(this.desks).filter((d) => d.state !== 'loggedOff') });
      case 'GET /waiting':
        return list(this.waiting);
      case 'GET /lines':
        return user.role === 'agent' ? this.#problem(res, 403, 'not for agents') : list(this.lines);
      case 'GET /recordings':
        if (last !== 'audio') break;
        res.writeHead(200, { 'Content-Type': 'audio/wav', 'Content-Length': this.audio.length, 'Accept-Ranges': 'bytes' });
        return res.end(this.audio);
      case 'GET /sms':
        if (id === 'messages') return list([...this.messages].reverse());
        if (id === 'inbox') return list([...this.inbox].reverse());
        if (id === 'jobs') return this.jobs.has(last) ? this.#json(res, this.jobs.get(last)) : this.#problem(res, 404, 'no such job');
        break;
      case 'POST /sms':
        return this.#send(await this.#body(req), res);
    }
    this.#problem(res, 404, 'not served here');
  }

  #login({ user, password }, res) {
    const known = users[user];
    if (!known || known.password !== password) return this.#problem(res, 401, 'user or password is wrong');
    const token = randomUUID();
    this.sessions.set(token, { user, role: known.role, name: known.name });
    const desk = this.desks[user];
    if (desk?.state === 'loggedOff') Object.assign(desk, { state: 'notReady', reason: 'login', since: iso(this.#now()) });
    this.#json(res, { user, role: known.role, name: known.name }, 200, {
      'Set-Cookie': `callbox_session=${token}; Path=/; HttpOnly; SameSite=Strict`,
    });
  }

  #send(order, res) {
    this.orders.push(order);
    const bad = order.to.findIndex((n) => !/^(\+86)?1\d{10}$/.test(n));
    if (bad >= 0) return this.#problem(res, 422, 'validation failed', [{ location: `body.to[${bad}]`, message: 'is no number' }]);
    const id = randomUUID();
    const messages = order.to.map((to) => this.text({ job: id, to: to.startsWith('+') ? to : `+86${to}`, text: order.text, ref: order.ref ?? '', status: 'queued' }));
    const job = { id, ref: order.ref ?? '', status: 'open', messages };
    this.jobs.set(id, job);
    this.#json(res, job, 202);
  }

  async #file(path, res) {
    const name = normalize(path).replace(/^\/+/, '');
    const headers = { 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' };
    const file = name && extname(name) ? name : 'index.html';
    try {
      const body = await readFile(join(app, file));
      res.writeHead(200, { ...headers, 'Content-Type': kinds[extname(file)] ?? 'application/octet-stream' });
      res.end(body);
    } catch {
      res.writeHead(404, headers);
      res.end('not found');
    }
  }

  // ---- WebSocket

  #now() {
    return Date.now() + this.skew;
  }

  #upgrade(req, socket, head) {
    const user = this.#user(req);
    const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    if (!user) return refuse('401 Unauthorized');
    if (req.headers.origin !== this.url) return refuse('403 Forbidden');
    this.wss.handleUpgrade(req, socket, head, (ws) => this.#open(ws, user, new URL(req.url, this.url).searchParams.get('since')));
  }

  #open(ws, user, since) {
    if (user.role === 'agent') {
      for (const old of this.sockets) {
        if (old.user.user !== user.user) continue;
        old.ws.send(JSON.stringify({ type: 'replaced' }));
        old.ws.close(1000, 'replaced');
        this.sockets.delete(old);
      }
    }
    const one = { ws, user, since };
    this.sockets.add(one);
    ws.on('close', () => this.sockets.delete(one));
    ws.on('message', (data) => this.#command(one, JSON.parse(String(data))));
    if (since) {
      ws.send(JSON.stringify({ type: 'resumed', seq: this.seq }));
      for (const event of this.journal) if (event.seq > Number(since) && this.#sees(user, event)) ws.send(JSON.stringify(event));
    } else ws.send(JSON.stringify(this.#snapshot(user)));
  }

  #snapshot(user) {
    const calls = this.calls.filter((c) => c.result === null && (user.role !== 'agent' || c.agent?.id === user.user));
    return { type: 'snapshot', seq: this.seq, time: iso(this.#now()), agent: this.desks[user.user] ?? null, calls, queues: this.queues };
  }

  #command({ ws, user }, { id, cmd, args }) {
    this.heard.push({ user: user.user, cmd, args });
    const ok = (result) => ws.send(JSON.stringify({ re: id, ok: true, result }));
    const no = (code, message) => ws.send(JSON.stringify({ re: id, ok: false, error: { code, message } }));
    if (cmd === 'setAgentState') {
      const desk = this.desks[user.user];
      if (this.calls.some((c) => c.result === null && c.agent?.id === user.user && c.times.agent_answer)) {
        desk.pending = args.state;
        return ok({ state: desk.state, pending: args.state });
      }
      ok({ state: args.state });
      return this.state(user.user, args.state, '');
    }
    if (cmd === 'clearConnection') {
      const call = this.calls.find((c) => c.id === args.call_id && c.result === null);
      if (!call) return no('not_found', 'no such call');
      ok({});
      return this.hangUp(call.id, 'agent');
    }
    if (cmd === 'answerCall') {
      ok({});
      return this.answer(args.call_id);
    }
    if (cmd in talks) return this.#talk(cmd, args, user.user, ok, no);
    if (cmd === 'makeCall') {
      if (!/^\+?[\d -]{3,20}$/.test(args.to)) return no('bad_args', 'to is no number that can be dialled');
      if (!this.desks[user.user].phone) return no('no_phone', 'no phone is registered');
      const id = randomUUID();
      ok({ call_id: id });
      return this.dial(user.user, args.to, id);
    }
    no('not_supported', 'not yet supported');
  }

  /** What an agent does with a call that is being talked. */
  #talk(cmd, args, agent, ok, no) {
    const call = this.calls.find((c) => c.id === args.call_id && c.result === null && c.agent.id === agent);
    if (!call) return no('not_found', 'no such call');
    const asked = (call.asked ??= randomUUID());
    const tell = (type, connection_id, more) => this.#tell(call.id, type, { connection_id, ...more });
    const outside = `${call.id}-o`;
    switch (cmd) {
      case 'holdCall':
        this.#stand(call, 'holding');
        tell('held', outside);
        break;
      case 'retrieveCall':
        this.#stand(call, 'talking');
        tell('retrieved', outside);
        break;
      case 'consultationCall':
        if (args.to === 'nobody') return no('bad_args', 'to is neither agent nor queue nor number');
        this.#stand(call, 'asking');
        tell('held', outside);
        return ok({ connection_id: asked });
      case 'alternateCall':
        call.alternated = !call.alternated;
        this.#stand(call, call.alternated ? 'alternated' : 'consulting');
        tell(call.alternated ? 'held' : 'retrieved', asked);
        tell(call.alternated ? 'retrieved' : 'held', outside);
        break;
      case 'conferenceCall':
        this.#stand(call, 'talking');
        tell('conferenced', asked, { user_data: { by: agent } });
        break;
      case 'reconnectCall':
        this.#stand(call, 'talking');
        tell('connectionCleared', asked, { cause: 'normal' });
        tell('retrieved', outside);
        break;
      case 'transferCall':
      case 'singleStepTransfer':
        ok({});
        tell('transferred', asked, { user_data: { by: agent, to: args.to ?? '1002' } });
        return this.hangUp(call.id, 'agent');
      case 'pauseRecording':
        tell('recordPaused', outside, { user_data: { by: agent } });
        break;
      case 'resumeRecording':
        tell('recordStarted', outside, { user_data: { by: agent } });
        break;
    }
    ok({});
  }

  /** Who was asked picks up. */
  joins(id) {
    const call = this.calls.find((c) => c.id === id);
    this.#stand(call, 'consulting');
    this.#tell(id, 'established', { connection_id: call.asked });
  }

  /** Where the agent's part stands from now on. */
  #stand(call, standing) {
    const leg = call.legs?.find((one) => one.agent === call.agent.id);
    if (leg) Object.assign(leg, { standing, standing_since: iso(this.#now()) });
  }

  /** The day so far, of which the stand-in knows no more than how the queues stand. */
  figures() {
    const in_ = (state, queue) => Object.values(this.desks).filter((d) => d.state === state && !d.busy_since && (!queue || d.queues.includes(queue))).length;
    const stands = (queue) => ({ ready: in_('ready', queue), busy: Object.values(this.desks).filter((d) => d.busy_since && (!queue || d.queues.includes(queue))).length, working: in_('workingAfterCall', queue), not_ready: in_('notReady', queue) });
    const day = { offered: 61, answered: 52, abandoned: 6, short_abandoned: 2, other: 3, service_level: 0.8571, service_seconds: 20, asa: 11.4, aht: 214.2, occupancy: 0.68 };
    const queues = this.queues.map((q) => ({ id: q.id, name: q.name, waiting: q.waiting, longest_wait: q.longest_wait, ...stands(q.id), ...day }));
    const all = stands('');
    return {
      time: iso(this.#now()), day: iso(this.#now()).slice(0, 10), since: `${iso(this.#now()).slice(0, 10)}T00:00:00Z`, queues, formula: {},
      total: { ...day, ...all, waiting: queues.reduce((n, q) => n + q.waiting, 0), longest_wait: Math.max(0, ...queues.map((q) => q.longest_wait)) },
      agents: { ready: all.ready, busy: all.busy, workingAfterCall: all.working, notReady: all.not_ready, loggedOff: in_('loggedOff', '') },
    };
  }

  // ---- what happens on the floor

  /** Sends an event to those who may see it. */
  emit(event) {
    const full = { v: 1, seq: ++this.seq, durable_seq: this.seq, id: randomUUID(), time: iso(this.#now()), ...event };
    this.journal.push(full);
    for (const { ws, user } of this.sockets) if (this.#sees(user, full)) ws.send(JSON.stringify(full));
    return full;
  }

  #sees(user, event) {
    return user.role !== 'agent' || event.agent_id === undefined || event.agent_id === user.user;
  }

  state(agent, state, reason = '') {
    const desk = this.desks[agent];
    Object.assign(desk, { state, reason, since: iso(this.#now()), pending: '' });
    const words = { ready: 'agentReady', notReady: 'agentNotReady', workingAfterCall: 'agentWorkingAfterCall', loggedOff: 'agentLoggedOff' };
    this.emit({ type: words[state], agent_id: agent, user_data: { name: desk.name, state, reason, since: desk.since, pending: '', phone: desk.phone } });
    this.queue('repair', { ready: Object.values(this.desks).filter((d) => d.state === 'ready').length });
  }

  queue(id, change) {
    const queue = Object.assign(this.queues.find((q) => q.id === id), change);
    this.emit({ type: 'queueChanged', queue: { id, name: queue.name }, user_data: { ...queue } });
  }

  /** A caller rings the agent's telephone. Returns the call's id. */
  ring(agent, more = {}) {
    const id = more.id ?? randomUUID();
    const from = more.from ?? { e164: '+8613800138000', raw: '13800138000', place: '浙江杭州' };
    const who = more.customer === undefined ? customer : more.customer;
    const now = this.#now();
    this.calls.push({
      id,
      direction: 'in',
      result: null,
      from,
      to: { e164: '+864001234567', raw: '4001234567' },
      did: '4001234567',
      queue: { id: 'repair', name: '报修' },
      agent: { id: agent, name: this.desks[agent].name },
      customer: who ? { id: who.id, name: who.name } : null,
      ivr_path: ['welcome', 'menu', 'repair'],
      offers: [{ agent, start: iso(now), end: null, outcome: '' }],
      times: { seize: iso(now - 21000), answer: iso(now - 20000), queue_in: iso(now - 8000), offer: iso(now), agent_answer: null, hangup: null },
      recording: { id, state: 'recording', seconds: 0, missing_seconds: 0 },
      legs: [{ id: `${id}-o`, kind: 'outside', device: 'trunk:carrier/13800138000', start: iso(now - 20000), end: null }],
      user_data: {},
    });
    this.emit({
      type: 'delivered',
      call_id: id,
      connection_id: `${id}-a`,
      agent_id: agent,
      queue: { id: 'repair', name: '报修' },
      calling: from,
      called: { e164: '+864001234567', raw: '4001234567' },
      user_data: { customer: who, wait: 8, ivr_path: ['welcome', 'menu', 'repair'], pop_url: 'https://tickets.example/pop?c=1', ...more.user_data },
    });
    return id;
  }

  /** The agent's own telephone on an analogue line rings; nobody knows yet who it is. */
  ringOwn(agent) {
    const id = randomUUID();
    const now = iso(this.#now());
    this.calls.push({
      id, direction: 'in', result: null, from: { e164: '', raw: '' }, to: { raw: '057188880001' }, did: '057188880001', line: 'line 1',
      queue: null, agent: { id: agent, name: this.desks[agent].name }, customer: null, ivr_path: [], legs: [{ kind: 'outside' }],
      offers: [{ agent, start: now, end: null, outcome: '' }], times: { seize: now, offer: now, agent_answer: null, hangup: null },
      recording: { id, state: 'none', seconds: 0, missing_seconds: 0 }, user_data: {},
    });
    this.#tell(id, 'delivered', { user_data: { attended: true, wait: 0, ivr_path: [], customer: null, pop_url: '' } });
    return id;
  }

  /** The number, and then who has it, come after the first ring. */
  learn(id, from, who = null) {
    const call = this.calls.find((c) => c.id === id);
    call.from = from;
    this.#tell(id, 'callInformation', {});
    if (!who) return;
    call.customer = { id: who.id, name: who.name };
    this.#tell(id, 'callInformation', { user_data: { customer: who, pop_url: '' } });
  }

  /** Nobody lifts the own telephone. */
  miss(id) {
    const call = this.calls.find((c) => c.id === id);
    call.times.hangup = iso(this.#now());
    Object.assign(call.offers[0], { end: call.times.hangup, outcome: 'noAnswer' });
    Object.assign(call, { result: 'abandoned', where: 'ringing', cause: 'canceled', hangup_side: 'caller' });
    this.#tell(id, 'connectionCleared', { cause: 'noAnswer' });
    this.#tell(id, 'callCleared', { cause: 'canceled' });
  }

  /** An outgoing call: the agent's telephone rings. */
  dial(agent, to, id) {
    const number = { e164: `+86${to.replace(/^\+86|\D/g, '')}`, raw: to };
    this.calls.push({
      id, direction: 'out', result: null, from: { raw: '4001234567' }, to: number, did: '', line: '', queue: null,
      agent: { id: agent, name: this.desks[agent].name }, customer: null, ivr_path: [], offers: [],
      times: { seize: iso(this.#now()), answer: null, agent_answer: null, hangup: null },
      recording: { id, state: 'none', seconds: 0, missing_seconds: 0 }, user_data: {},
    });
    this.#tell(id, 'offered', { user_data: { direction: 'out' } });
    this.#tell(id, 'delivered', { user_data: { direction: 'out', wait: 0, ivr_path: [], customer: number.e164 === '+8613800138000' ? customer : null, pop_url: '' } });
  }

  /** The agent has picked up: the number is dialled, over a line. */
  pickUp(id) {
    const call = this.calls.find((c) => c.id === id);
    call.times.agent_answer = iso(this.#now());
    call.line = 'line 2';
    this.emit({ type: 'agentBusy', agent_id: call.agent.id, call_id: id, user_data: { state: this.desks[call.agent.id].state, pending: '' } });
  }

  /** The number was not reached. */
  fail(id, cause) {
    const call = this.calls.find((c) => c.id === id);
    call.times.hangup = iso(this.#now());
    Object.assign(call, { result: 'failed', cause, hangup_side: 'caller' });
    this.#tell(id, 'failed', { cause });
    this.#tell(id, 'connectionCleared', { cause });
    this.state(call.agent.id, this.desks[call.agent.id].state);
    this.#tell(id, 'callCleared', { cause });
  }

  /** A telephone line goes out of service or comes back. */
  lineMoves(label, state, why = '') {
    const line = Object.assign(this.lines.find((l) => l.label === label), { state, why, since: iso(this.#now()) });
    this.emit({ type: 'lineState', line: label, user_data: { state, why, number: line.number, busy: line.busy, box: line.box } });
  }

  /** An event of a call, with what its record knows. */
  #tell(id, type, more) {
    const call = this.calls.find((c) => c.id === id);
    this.emit({ type, call_id: id, agent_id: call.agent.id, line: call.line, calling: call.from, called: call.to, connection_id: `${id}-a`, ...more });
  }

  answer(id) {
    const call = this.calls.find((c) => c.id === id);
    if (call.direction === 'out') call.times.answer = iso(this.#now());
    call.times.agent_answer = iso(this.#now());
    call.legs?.push({ id: `${id}-a`, kind: 'agent', agent: call.agent.id, device: `sip:${call.agent.id}`, start: call.times.agent_answer, end: null });
    this.#stand(call, 'talking');
    if (call.offers[0]) Object.assign(call.offers[0], { end: call.times.agent_answer, outcome: 'answered' });
    if (call.line) call.recording.mixed = call.direction === 'in';
    const agent = call.agent.id;
    if (call.queue) this.emit({ type: 'diverted', call_id: id, agent_id: agent });
    this.#tell(id, 'established', {});
    this.emit({ type: 'agentBusy', agent_id: agent, call_id: id, user_data: { state: this.desks[agent].state, pending: '' } });
  }

  hangUp(id, side = 'caller') {
    const call = this.calls.find((c) => c.id === id);
    const talked = !!call.times.agent_answer;
    const agent = call.agent.id;
    call.times.hangup = iso(this.#now());
    Object.assign(call, { result: talked ? 'answered' : 'abandoned', where: talked ? '' : 'ringing', cause: 'normal', hangup_side: side });
    Object.assign(call.recording, { state: 'complete', seconds: 20 + (Date.parse(call.times.hangup) - Date.parse(call.times.offer ?? call.times.seize)) / 1000 });
    this.emit({ type: 'connectionCleared', call_id: id, agent_id: agent, connection_id: `${id}-a`, cause: 'normal' });
    this.emit({ type: 'callCleared', call_id: id, agent_id: agent, cause: 'normal' });
    if (talked) this.state(agent, this.desks[agent].pending || 'workingAfterCall');
    this.emit({ type: 'recordStopped', call_id: id, agent_id: agent });
  }

  /** A text on its way. */
  text(more) {
    const message = { id: randomUUID(), job: '', raw: more.to, parts: Math.ceil(more.text.length / 67) || 1, account: 'cmcc', error: null, maybe_sent: false, ...more };
    message.times = { [message.status]: iso(this.#now()), ...more.times };
    this.messages.push(message);
    return message;
  }

  textMoves(message, status) {
    message.status = status;
    message.times[status] = iso(this.#now());
    this.emit({ type: 'smsStatus', user_data: { id: message.id, job: message.job, status } });
  }

  /** An engineer answers a text. */
  reply(message, text, keyword) {
    this.inbox.push({ id: randomUUID(), time: iso(this.#now()), from: message.to, to: '10690000', text, ref: message.ref, job: message.job, match: 1, keyword, incomplete: false });
    this.emit({ type: 'smsReceived', user_data: {} });
  }

  /** Calls of earlier today, and a work order's text with its answers, for a page that is not empty. */
  past() {
    const make = (minutes, more) => {
      const id = randomUUID();
      const at = Date.now() - minutes * 60_000;
      const result = more.result ?? 'answered';
      const talk = more.talk ?? 95;
      this.calls.push({
        id, direction: more.direction ?? 'in', result, where: more.where ?? '', cause: more.cause ?? 'normal', hangup_side: 'caller',
        from: more.from, to: more.to ?? { raw: '4001234567' }, did: '4001234567', queue: { id: 'repair', name: '报修' },
        agent: { id: more.agent ?? '1001', name: users[more.agent ?? '1001'].name }, customer: more.customer ?? null, ivr_path: [], offers: [],
        times: { seize: iso(at), answer: result === 'failed' ? null : iso(at + 1000), agent_answer: result === 'answered' ? iso(at + 20_000) : null, hangup: iso(at + 20_000 + talk * 1000) },
        recording: more.recording ?? { id, state: 'complete', seconds: talk + 19, missing_seconds: 0 }, user_data: {},
      });
    };
    make(96, { from: { e164: '+8657188880001', raw: '057188880001' }, customer: { id: 'k1', name: '杭州锦绣物业 · 李雷' }, talk: 212 });
    make(71, { from: { e164: '+8613957112233', raw: '13957112233' }, customer: { id: 'k2', name: '韩梅梅' }, talk: 64, recording: { id: 'x', state: 'partial', seconds: 71, missing_seconds: 3 } });
    make(52, { direction: 'out', from: { raw: '4001234567' }, to: { e164: '+8613957112233', raw: '13957112233' }, customer: { id: 'k2', name: '韩梅梅' }, result: 'failed', cause: 'busy', talk: 6, recording: { state: 'none' } });
    make(44, { from: { e164: '', raw: '' }, result: 'abandoned', where: 'ringing', talk: 4 });
    make(30, { direction: 'out', from: { raw: '4001234567' }, to: { e164: '+8613600001111', raw: '13600001111' }, talk: 31 });
    make(18, { from: { e164: '+8615900002222', raw: '15900002222' }, agent: '1002', talk: 140, customer: { id: 'k3', name: '西湖区文化馆' } });
    const order = this.text({ job: 'j1', to: '+8613700003333', status: 'delivered', ref: 'W20260309-017', text: '张伟,您有新工单W20260309-017:杭州锦绣物业 3号楼2单元 电梯门反复开合。回复1接单 2到达 3完成' });
    this.reply(order, '1', '接单');
    this.reply(order, '2', '到达');
    this.text({ job: 'j2', to: '+8613700004444', status: 'submitted', ref: 'W20260309-021', text: '刘洋,您有新工单W20260309-021:西湖区文化馆 二楼大厅 扶梯异响。回复1接单 2到达 3完成' });
    this.text({ job: 'j3', to: '+8613700005555', status: 'failed', ref: 'W20260309-022', text: '孙丽,您有新工单W20260309-022:城西银泰 货梯停运。回复1接单 2到达 3完成', error: { stat: 'MK:0001', text: '空号' } });
    this.inbox.push({ id: randomUUID(), time: ago(600), from: '+8613500006666', raw: '13500006666', to: '10690000', text: '请问明天师傅几点到?', ref: '', job: '', match: 0, keyword: '', incomplete: false });
  }

  /** Drops every connection, as a broken network would. */
  cut() {
    for (const { ws } of this.sockets) ws.terminate();
  }
}

// By itself: a floor where something happens every few seconds.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await new Fake().start(Number(process.env.PORT ?? 8080));
  fake.past();
  console.log(`${fake.url}  1001/wangfang  1002/zhaomin  boss/boss`);
  const later = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
  for (;;) {
    await later(4);
    const free = Object.values(fake.desks).find((d) => d.state === 'ready');
    if (!free) continue;
    const id = fake.ring(free.id);
    await later(5);
    fake.answer(id);
    await later(15);
    if (fake.calls.find((c) => c.id === id)?.result === null) fake.hangUp(id);
    await later(8);
    if (free.state === 'workingAfterCall') fake.state(free.id, 'ready');
    for (const m of fake.messages) if (m.status === 'queued') fake.textMoves(m, 'delivered');
  }
}
