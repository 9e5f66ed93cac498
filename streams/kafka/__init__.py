"""All that knows the inside of Faust and aiokafka."""
