"""Pictures to train on, made of photographs and sprites in motion, with their exact flows."""
