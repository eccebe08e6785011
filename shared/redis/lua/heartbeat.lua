-- A worker's sign of life; sweeps the dead. One hash, so that readers need one command.
-- KEYS: workers
-- ARGV: worker id, packed presence ('' to leave), seconds after which a worker counts as dead
return sign(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
