import torch
from hypothesis import settings

# A loaded machine is no failure; speed is measured in benchmarks/.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

# Two workers share two cores, and the models of the tests are too small to share among threads.
torch.set_num_threads(1)
