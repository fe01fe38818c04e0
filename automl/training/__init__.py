"""How one network is trained: fit, recipe, images, augmentation, saved networks."""
