export const secure = {
  'obstacle.insecure': 'No microphone: this address is not secure (https), and browsers give none to such pages.',
  'obstacle.unsupported': 'No microphone: this browser cannot make calls. Take a current Chrome, Edge or Firefox.',
  'obstacle.denied': 'No microphone: it is not allowed for this page. Click the sign left of the address and allow it.',
  'obstacle.none': 'No microphone found. Plug the headset in.',
  'obstacle.taken': 'Another program has the microphone. Close it, then try again.',
  'obstacle.unplugged': 'The headset is no longer there. Plug it in, or choose another.',
  'obstacle.unknown': 'The browser did not give the microphone.',
  'obstacle.refused': 'callbox did not take the telephone in this page. Trying again…',
  'obstacle.unbuilt': 'This callbox has no telephone for browsers.',
  'secure.goThere': 'Open this page by https',
  'secure.certificate': 'Before the first time: install the certificate',
  'secure.ask': 'Ask whoever looks after callbox for an address with https.',
} as const;
