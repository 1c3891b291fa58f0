export const wallboard = {
  'wall.title': 'Service desk',
  'wall.stale': 'These figures are {age} old: no connection to callbox.',
  'wall.refused': 'callbox does not accept the key in this address. Ask an administrator for a new wallboard key.',
  'wall.waiting': 'waiting',
  'wall.ready': 'Ready',
  'wall.longest': 'Longest wait',
  'wall.short': 'short',
  'wall.day': 'Today',
  'wall.staff': 'Agents',
  'wall.page': '{n} / {all}',
} as const;
