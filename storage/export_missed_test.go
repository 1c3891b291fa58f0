package storage

// CountMail is how messages are counted.
const CountMail = countMail
