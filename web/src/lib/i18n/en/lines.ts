export const lines = {
  'lines.title': 'Telephone lines',
  'lines.free': 'Free',
  'lines.busy': 'In use',
  'lines.out': 'Out of service',
  'lines.since': 'since {time}',
} as const;
