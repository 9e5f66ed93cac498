"""All that knows the inside of Faust and aiokafka."""

from streams.kafka import broken as broken
