export const floor = {
  'queues.title': 'Queues',
  'queues.waiting': 'waiting',
  'queues.longest': 'longest wait',
  'queues.ready': 'ready',
  'queues.none': 'No queues',

  'floor.agents': 'Agents',
  'floor.noAgents': 'No agents',
  'floor.live': 'Calls in progress',
  'floor.noLive': 'No calls in progress',
  'floor.with': 'With {number}',
  'floor.away': 'no connection',
} as const;
