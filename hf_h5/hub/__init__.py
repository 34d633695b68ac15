"""Files on their way to the Hub: pushes that go on, dataset cards, indices, and what refusals mean."""
